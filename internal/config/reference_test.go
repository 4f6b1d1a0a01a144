package config

import (
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestReferenceComplete holds reference.yaml against the raw structs: every
// key stands in it, and every key with a default stands in it with that.
func TestReferenceComplete(t *testing.T) {
	mustParse(t, "reference.yaml", Reference)
	var tree any
	if err := yaml.Unmarshal([]byte(Reference), &tree); err != nil {
		t.Fatal(err)
	}
	compare(t, "", reflect.TypeFor[rawConfig](), []any{tree})
}

// compare looks for each key of a raw struct in the places where such a struct
// stands. A default has to stand in the first place that has the key.
func compare(t *testing.T, path string, raw reflect.Type, places []any) {
	t.Helper()
	for f := range raw.Fields() {
		key := f.Tag.Get("yaml")
		at := join(path, key)
		found := valuesOf(key, places)
		if len(found) == 0 {
			t.Errorf("reference.yaml has no %s", at)
			continue
		}
		if text, ok := f.Tag.Lookup("default"); ok {
			stands, err := yaml.Marshal(found[0])
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Trim(string(stands), "\"\n"); got != text {
				t.Errorf("reference.yaml has %s: %s, the default is %q", at, got, text)
			}
		}
		element := f.Type
		if element.Kind() == reflect.Slice {
			element = element.Elem()
			found = elements(found)
		}
		if !isScalar(element) && element.Kind() == reflect.Struct {
			compare(t, at, element, found)
		}
	}
}

func valuesOf(key string, places []any) []any {
	var found []any
	for _, p := range places {
		if m, ok := p.(map[string]any); ok {
			if v, ok := m[key]; ok {
				found = append(found, v)
			}
		}
	}
	return found
}

func elements(lists []any) []any {
	var all []any
	for _, l := range lists {
		if list, ok := l.([]any); ok {
			all = append(all, list...)
		}
	}
	return all
}

// TestReferenceDefaults reads the reference without everything that has a
// default: nothing may change, and so the private port, too, is its default.
func TestReferenceDefaults(t *testing.T) {
	bare := mustParse(t, "small.yaml", strings.Replace(small, "192.168.0.10}", "192.168.0.10, priorities: {master1: 100}}", 1))
	full := mustParse(t, "reference.yaml", Reference)
	if len(full.Warnings) > 0 {
		t.Errorf("the reference warns: %v", full.Warnings)
	}
	if bare.Digest() != full.Digest() {
		t.Error("the reference without its local listener has another digest than the small file")
	}
}

// TestTags reads every default and range of the raw structs.
func TestTags(t *testing.T) {
	var walk func(raw reflect.Type)
	walk = func(raw reflect.Type) {
		for f := range raw.Fields() {
			element := f.Type
			if k := element.Kind(); k == reflect.Slice || k == reflect.Map {
				element = element.Elem()
			}
			texts := []string{}
			if text, ok := f.Tag.Lookup("default"); ok {
				texts = append(texts, text)
			}
			low, high, _ := strings.Cut(f.Tag.Get("range"), "..")
			for _, bound := range []string{low, high} {
				if bound != "" {
					texts = append(texts, bound)
				}
			}
			for _, text := range texts {
				if _, err := parseScalar(element, text); err != nil {
					t.Errorf("%s.%s: %q %v", raw.Name(), f.Name, text, err)
				}
			}
			if !isScalar(element) {
				walk(element)
			}
		}
	}
	walk(reflect.TypeFor[rawConfig]())
}
