package keepalived

import (
	"path"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// Is reports whether a file is a configuration of keepalived: all lines outside
// blocks begin with words of its, and one of them with a block's. A file of
// includes alone needs the name keepalived.conf besides.
func Is(f plan.File) bool {
	if len(f.Data) > maxFile || strings.IndexByte(string(f.Data), 0) >= 0 {
		return false
	}
	s := &scanner{notes: &notebook{}, defs: map[string]*definition{}, opened: map[string]bool{}, files: map[string]bool{}}
	s.file(f)
	included := false
	for _, n := range build(s.lines, &notebook{}).kids {
		_, one := first[n.key]
		_, two := second[n.key]
		_, other := topRules[n.key]
		switch {
		case (one || two) && n.block:
			return true
		case one || two || other || gap(n.key) || strings.HasPrefix(n.key, "{%"):
		default:
			return false
		}
	}
	for _, n := range s.notes.list {
		included = included || strings.HasPrefix(n.named[0], "include")
	}
	return included && path.Base(f.Name) == "keepalived.conf"
}
