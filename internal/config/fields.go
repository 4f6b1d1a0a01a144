package config

import (
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// setDefaults fills a raw struct with what its tags say.
func setDefaults(v reflect.Value) {
	if isScalar(v.Type()) {
		return
	}
	for i := range v.NumField() {
		text, ok := v.Type().Field(i).Tag.Lookup("default")
		switch {
		case ok:
			v.Field(i).Set(reflect.ValueOf(fromTag(v.Field(i).Interface(), text)))
		case v.Field(i).Kind() == reflect.Struct:
			setDefaults(v.Field(i))
		}
	}
}

// keys are the keys of a raw struct, in the order of its fields.
func keys(t reflect.Type) []string {
	words := make([]string, 0, t.NumField())
	for f := range t.Fields() {
		words = append(words, f.Tag.Get("yaml"))
	}
	return words
}

func shortField(t reflect.Type) (int, bool) {
	if t.Kind() != reflect.Struct || isScalar(t) {
		return 0, false
	}
	for i := range t.NumField() {
		if _, ok := t.Field(i).Tag.Lookup("short"); ok {
			return i, true
		}
	}
	return 0, false
}

// join puts a key behind a path; a key that is no plain word is quoted.
func join(path, key string) string {
	if !nameRule.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// wanted is the YAML tag that a value of type t has, and words for it. text is
// what stands there.
func wanted(t reflect.Type, text string) (tag, word string) {
	switch t {
	case reflect.TypeFor[bool]():
		return "!!bool", "true or false"
	case reflect.TypeFor[int]():
		return "!!int", "a whole number"
	case reflect.TypeFor[time.Duration]():
		if text == "0" { // a duration, as Go writes them
			return "!!int", "0s"
		}
		return "!!str", "a duration like 500ms or 2s"
	case reflect.TypeFor[string]():
		if text == "" {
			return "!!str", "a text"
		}
		return "!!str", "a text, in quotes: " + quote(text)
	default:
		return "!!str", "an address"
	}
}

// kindOf says what a node is, for "is %s".
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a set of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!str":
		return "a text"
	case n.Tag == "!!bool":
		return "a truth value"
	case n.Tag == "!!int", n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!null":
		return "empty"
	default:
		return "a " + strings.TrimPrefix(n.Tag, "!!")
	}
}

// shown is a scalar as messages show it: texts in quotes, the rest without.
func shown(n *yaml.Node) string {
	if n.Tag == "!!str" || len(n.Value) > 20 {
		return quote(n.Value)
	}
	return n.Value
}
