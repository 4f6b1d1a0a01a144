package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocsKeys: the keys that pages of the documentation name are there.
func TestDocsKeys(t *testing.T) {
	named := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "deploy/*/README.md"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			keys := keysIn(string(text))
			named += len(keys)
			for _, key := range keys {
				if !isKey(key) {
					t.Errorf("%s: there is no key %s", file, key)
				}
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d keys were found", named)
	}
}

// TestDocsKeysFaults: a key that is not there is found.
func TestDocsKeysFaults(t *testing.T) {
	for text, want := range map[string]string{
		"`vips[].force` and `listeners[].check.path`":   "",
		"`cluster.peers[].witness`, `log.level: debug`": "",
		"`timeouts.drain`, `limits: {connections: 5}`":  "",
		"set `vips[].priorities.master1`":               "",
		"`hooks[].exec`, `cluster.yml`, `check.go`":     "",
		"`listeners[].checks.path`":                     "listeners[].checks.path",
		"`vip[].force`":                                 "vip[].force",
		"`timeouts.draining`":                           "timeouts.draining",
		"`cluster.gossip.key`":                          "cluster.gossip.key",
		"`log.level.debug`":                             "log.level.debug",
	} {
		bad := slices.DeleteFunc(keysIn(text), isKey)
		if got := strings.Join(bad, " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

var (
	inline = regexp.MustCompile("`([^`\n]+)`")
	keyed  = regexp.MustCompile(`^[a-z][a-zA-Z]*(?:\[\])?(?:\.[a-z][a-zA-Z0-9]*(?:\[\])?)+(?:$|:)`)
	files  = regexp.MustCompile(`\.(?:ya?ml|go|json|md|cfg|conf|txt|tar|pml|mod|sum|ini|bak)$`)
)

// keysIn are the keys in a text: those from the top, and those of a listener.
func keysIn(text string) (all []string) {
	for _, m := range inline.FindAllStringSubmatch(text, -1) {
		key := strings.TrimSuffix(keyed.FindString(m[1]), ":")
		first, _, _ := strings.Cut(strings.ReplaceAll(key, "[]", ""), ".")
		known := strings.Contains(key, "[]") || isKey(first) || isKey("listeners."+first)
		if key != "" && known && !files.MatchString(key) {
			all = append(all, key)
		}
	}
	return all
}

func isKey(key string) bool {
	path := strings.Split(strings.ReplaceAll(key, "[]", ""), ".")
	return leads(reflect.TypeFor[rawConfig](), path) || leads(reflect.TypeFor[rawListener](), path)
}

// leads reports whether keys lead somewhere from a raw type.
func leads(t reflect.Type, path []string) bool {
	for t.Kind() == reflect.Slice && !isScalar(t) {
		t = t.Elem()
	}
	switch {
	case len(path) == 0:
		return true
	case t.Kind() == reflect.Map: // of names that people choose
		return len(path) == 1
	case t.Kind() != reflect.Struct || isScalar(t):
		return false
	}
	for f := range t.Fields() {
		if f.Tag.Get("yaml") == path[0] {
			return leads(f.Type, path[1:])
		}
	}
	return false
}
