package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Change is one key that stands in two files with different values.
type Change struct {
	// Path is that of the key in the newer file, as in vips[0].preempt. For what
	// is gone from a list it is the list's.
	Path string
	// From and To are the values as one would write them. One of them is "" for
	// an entry of a list that only the other file has; the other is its name.
	From, To string
}

// String says the change in one line.
func (c Change) String() string {
	switch {
	case c.From == "":
		return fmt.Sprintf("%s: %s is new", c.Path, c.To)
	case c.To == "":
		return fmt.Sprintf("%s: %s is gone", c.Path, c.From)
	}
	return fmt.Sprintf("%s: %s -> %s", c.Path, c.From, c.To)
}

// Diff returns what is different in next, in the order of the keys. What is
// written in another way and means the same is no change: a default that is
// written out, comments, the order of lists save that of the peers.
func (c *Config) Diff(next *Config) []Change {
	var d diff
	d.value("", reflect.ValueOf(c.raw), reflect.ValueOf(next.raw))
	return d
}

type diff []Change

func (d *diff) add(path, from, to string) { *d = append(*d, Change{path, from, to}) }

func (d *diff) value(path string, a, b reflect.Value) {
	t := a.Type()
	switch {
	case t.Kind() == reflect.Struct && !isScalar(t):
		for i := range t.NumField() {
			d.value(join(path, t.Field(i).Tag.Get("yaml")), a.Field(i), b.Field(i))
		}
	case hasNames(t):
		d.list(path, a, b)
	default:
		if from, to := written(a), written(b); from != to {
			d.add(path, from, to)
		}
	}
}

// hasNames tells lists whose entries are found by their names.
func hasNames(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Struct {
		return false
	}
	_, ok := t.Elem().FieldByName("Name")
	return ok
}

func (d *diff) list(path string, a, b reflect.Value) {
	was, is := names(a), names(b)
	for i, name := range is {
		if j := slices.Index(was, name); j >= 0 {
			d.value(index(path, i), a.Index(j), b.Index(i))
		} else {
			d.add(index(path, i), "", name)
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			d.add(path, name, "")
		}
	}
	// Of peers that have the same priority the first is preferred.
	alone := func(name string) bool { return !slices.Contains(was, name) || !slices.Contains(is, name) }
	was, is = slices.DeleteFunc(was, alone), slices.DeleteFunc(is, alone)
	if path == "cluster.peers" && !slices.Equal(was, is) {
		d.add(path, strings.Join(was, ", "), strings.Join(is, ", "))
	}
}

func names(list reflect.Value) []string {
	var all []string
	for i := range list.Len() {
		all = append(all, list.Index(i).FieldByName("Name").String())
	}
	return all
}

// written is a value about as it would be written; equal values have the same, and
// so have lists of the same entries in any order.
func written(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice:
		var words []string
		for i := range v.Len() {
			words = append(words, fmt.Sprint(v.Index(i).Interface()))
		}
		slices.Sort(words)
		return "[" + strings.Join(words, ", ") + "]"
	case reflect.Map:
		numbers := v.Interface().(map[string]int)
		var words []string
		for _, name := range slices.Sorted(maps.Keys(numbers)) {
			words = append(words, fmt.Sprintf("%s: %d", name, numbers[name]))
		}
		return "{" + strings.Join(words, ", ") + "}"
	case reflect.String:
		return strconv.Quote(v.String()) // show would cut a long one
	default:
		return show(v.Interface())
	}
}
