package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value reads a node into dst, whose field has the given tags. What dst held
// before is its default.
func (d *decoder) value(n *yaml.Node, path string, dst reflect.Value, tag reflect.StructTag) {
	if !d.plain(n, path) || n.Tag == "!!null" {
		return
	}
	d.given[path] = true
	t := dst.Type()
	short, isShort := shortField(t)
	switch {
	case isScalar(t):
		d.scalar(n, path, dst, tag)
	case t.Kind() == reflect.Slice:
		d.list(n, path, dst)
	case t.Kind() == reflect.Map:
		d.numbers(n, path, dst, tag)
	case isShort && n.Kind == yaml.ScalarNode:
		f := t.Field(short)
		d.scalar(n, path, dst.Field(short), f.Tag)
	default:
		d.mapping(n, path, dst)
	}
}

// plain refuses what makes a YAML tree more than it looks: an alias repeats a
// part of it any number of times, and a tag changes what a value is.
func (d *decoder) plain(n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.report(path, "is a YAML alias; write the value itself")
		return false
	case n.Anchor != "":
		d.report(path, "has a YAML anchor; write the value without it")
	case n.Style&yaml.TaggedStyle != 0:
		d.report(path, "has a YAML tag; write the value without it")
		return false
	}
	return true
}

func (d *decoder) mapping(n *yaml.Node, path string, dst reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.report(path, "is %s; write keys such as %s", kindOf(n), strings.Join(keys(dst.Type()), ", "))
		return
	}
	d.pairs(n, path, func(key string, v *yaml.Node) {
		i := slices.Index(keys(dst.Type()), key)
		if i < 0 {
			d.unknownKey(join(path, key), key, keys(dst.Type()))
			return
		}
		d.value(v, join(path, key), dst.Field(i), dst.Type().Field(i).Tag)
	})
	d.needed(path, dst)
}

// needed reports the keys that have to be there and are not.
func (d *decoder) needed(path string, dst reflect.Value) {
	for f := range dst.Type().Fields() {
		example, need := f.Tag.Lookup("need")
		key := join(path, f.Tag.Get("yaml"))
		if need && !d.given[key] {
			d.report(key, "is missing; write it as in %s: %s", f.Tag.Get("yaml"), example)
		}
	}
}

func (d *decoder) unknownKey(path, key string, known []string) {
	if k := nearest(key, known); k != "" {
		d.report(path, "unknown key; did you mean %s?", k)
		return
	}
	d.report(path, "unknown key; known here: %s", strings.Join(known, ", "))
}

// pairs calls each with every key of a mapping once and notes its line.
func (d *decoder) pairs(n *yaml.Node, path string, each func(key string, v *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Anchor != "" {
			d.problems = append(d.problems, Problem{d.file, k.Line, path, "has a key that is no plain word; write KEY: VALUE"})
			continue
		}
		if line, ok := first[k.Value]; ok {
			d.problems = append(d.problems, Problem{d.file, k.Line, join(path, k.Value),
				fmt.Sprintf("duplicate key, first on line %d; keep one of them", line)})
			continue
		}
		first[k.Value] = k.Line
		d.lines[join(path, k.Value)] = k.Line
		each(k.Value, v)
	}
}

func (d *decoder) list(n *yaml.Node, path string, dst reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.report(path, "is %s; write a list", kindOf(n))
		return
	}
	if !d.few(len(n.Content), path) {
		return
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = element.Line
		if element.Tag == "!!null" {
			d.report(at, "is empty; write it or remove the line")
			continue
		}
		setDefaults(dst.Index(i))
		d.value(element, at, dst.Index(i), "")
	}
}

// few bounds a list, and with it the work of comparing each with each.
func (d *decoder) few(n int, path string) bool {
	const most = 1000
	if n > most {
		d.report(path, "has %d entries; write %d or less", n, most)
	}
	return n <= most
}

// numbers reads a map of words to numbers; the tags are those of each number.
func (d *decoder) numbers(n *yaml.Node, path string, dst reflect.Value, tag reflect.StructTag) {
	if n.Kind != yaml.MappingNode {
		d.report(path, "is %s; write NAME: NUMBER pairs", kindOf(n))
		return
	}
	if !d.few(len(n.Content)/2, path) {
		return
	}
	dst.Set(reflect.MakeMap(dst.Type()))
	d.pairs(n, path, func(key string, v *yaml.Node) {
		number := reflect.New(dst.Type().Elem()).Elem()
		d.value(v, join(path, key), number, tag)
		dst.SetMapIndex(reflect.ValueOf(key), number)
	})
}

func (d *decoder) scalar(n *yaml.Node, path string, dst reflect.Value, tag reflect.StructTag) {
	tagWanted, word := wanted(dst.Type(), n.Value)
	switch {
	case n.Kind != yaml.ScalarNode:
		d.report(path, "is %s; write %s", kindOf(n), word)
		return
	case n.Tag != tagWanted:
		d.report(path, "%s is %s; write %s", shown(n), kindOf(n), word)
		return
	}
	v, err := parseScalar(dst.Type(), n.Value)
	if err == nil {
		err = checkTags(tag, n.Value, v)
	}
	if err != nil {
		d.report(path, "%s %v", shown(n), err)
		return
	}
	dst.Set(reflect.ValueOf(v))
}
