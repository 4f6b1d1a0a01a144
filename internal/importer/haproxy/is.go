package haproxy

import (
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// telling are words that HAProxy's proxies have at the beginning of a line.
var telling = []string{
	"bind", "server", "mode", "timeout", "balance", "default_backend", "use_backend", "option", "log", "maxconn", "default-server", "stats", "daemon",
}

// Is reports whether a file is a configuration of HAProxy: it begins with one of
// HAProxy's sections, and goes on with words that these have.
func Is(f plan.File) bool {
	if len(f.Data) > maxFile {
		return false
	}
	begun := false
	for raw := range strings.Lines(strings.TrimPrefix(string(f.Data), "\ufeff")) {
		words := strings.Fields(raw)
		if len(words) == 0 || words[0][0] == '#' || !begun && isTemplate(words[0]) {
			continue
		}
		switch {
		case !begun && !begins(words):
			return false
		case begun && slices.Contains(telling, words[0]):
			return true
		}
		begun = true
	}
	return false
}

// begins tells a section of HAProxy from blocks of others, which have a brace or a
// colon there.
func begins(words []string) bool {
	return isSection(words[0]) && !slices.Contains(words, "{") && !slices.Contains(words, "=")
}

// isTemplate is a line of a template, or a condition, before the first section.
func isTemplate(word string) bool {
	return strings.HasPrefix(word, "{%") || strings.HasPrefix(word, "{#") || strings.HasPrefix(word, "{{") || strings.HasPrefix(word, ".")
}
