package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds what is read: a configuration of seven peers has 2 KiB.
const maxSize = 1 << 20

// Load reads and checks the file at path. What is wrong with its text comes
// back as an *Error, what is wrong with reading it wraps the system's error.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read config: %w; name another with --config FILE", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(path, data)
}

// Parse reads and checks a text of at most 1 MiB. name stands for it in
// messages. The error is an *Error with everything that is wrong.
func Parse(name string, data []byte) (*Config, error) {
	return newDecoder(name).parse(data)
}

func (d *decoder) parse(data []byte) (*Config, error) {
	root := d.document(data)
	if root == nil {
		return nil, &Error{d.problems}
	}
	var raw rawConfig
	setDefaults(reflect.ValueOf(&raw).Elem())
	d.value(root, "", reflect.ValueOf(&raw).Elem(), "")
	if d.bad[""] { // not even keys: all else would follow from that
		return nil, &Error{d.problems}
	}
	c := d.config(raw)
	c.raw = raw
	if len(d.problems) > 0 {
		sortProblems(d.problems)
		return nil, &Error{d.problems}
	}
	sortProblems(d.warnings)
	c.Warnings = d.warnings
	return c, nil
}

// document is the root of the only YAML document in data, or nil with the
// reason reported.
func (d *decoder) document(data []byte) *yaml.Node {
	if len(data) > maxSize {
		d.report("", "is larger than 1 MiB; a configuration has a few KiB, is this the right file?")
		return nil
	}
	var doc, next yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(data))
	err := in.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && doc.Content[0].Tag == "!!null" {
		d.report("", "is empty; reference.yaml in the documentation shows every key")
		return nil
	}
	if err != nil {
		d.syntax(err)
		return nil
	}
	switch err := in.Decode(&next); {
	case err == nil:
		d.lines[""] = next.Line
		d.report("", "a second YAML document begins here; write one only")
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return nil
	}
	return doc.Content[0]
}

// yamlLine is how the YAML library begins its messages.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

func (d *decoder) syntax(err error) {
	text := err.Error()
	m := yamlLine.FindStringSubmatch(text)
	if n, err := strconv.Atoi(m[1]); err == nil {
		d.lines[""] = n
	}
	d.report("", "is not YAML: %s", text[len(m[0]):])
}
