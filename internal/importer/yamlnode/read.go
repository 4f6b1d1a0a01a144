package yamlnode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"go.yaml.in/yaml/v3"
)

// The bounds of an input. No file that people write comes near.
const (
	MaxSize  = 1 << 20 // bytes of a file
	maxNodes = 200_000 // of all documents of a file, with every alias written out
	maxDepth = 64
)

// Documents reads all documents of a file; those that are empty are left out.
// The error is a *plan.Error.
func Documents(f plan.File) ([]Node, error) {
	return documents(f.Name, f.Data, 0, 0)
}

// documents reads a text whose first line is line 1 + offset of the file, or, where
// fixed is not 0, stands wholly at that line.
func documents(file string, data []byte, offset, fixed int) ([]Node, error) {
	// The library counts one more line at the end of the text, and takes other
	// letters than \n for ends of lines, which no editor does.
	lines := 1 + bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	at := func(line int) plan.Source {
		if fixed != 0 {
			return plan.Source{File: file, Line: fixed}
		}
		return plan.Source{File: file, Line: offset + max(1, min(line, lines))}
	}
	if len(data) > MaxSize {
		return nil, &plan.Error{At: plan.Source{File: file}, Err: fmt.Errorf("has %d bytes; more than %d are not read", len(data), MaxSize)}
	}
	var docs []Node
	b := &builder{at: at, left: maxNodes}
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			line, text := syntax(err, data)
			return nil, &plan.Error{At: at(line), Err: errors.New(text)}
		}
		n, err := b.build(&doc, 0)
		if err != nil {
			return nil, err
		}
		if n.kind != nothing {
			docs = append(docs, n)
		}
	}
}

// syntaxError is how the library says where, quoted what may be somebody's
// password, and unknown how it refuses an alias, without a line.
var (
	syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	quoted      = regexp.MustCompile(`["'` + "`" + `].*["'` + "`" + `]`)
	unknown     = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// syntax is the line of an error of the library, 1 if it does not tell, and what
// is wrong, without any text of the file.
func syntax(err error, data []byte) (line int, text string) {
	text = err.Error()
	if m := unknown.FindStringSubmatch(text); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		return 1 + bytes.Count(before, []byte("\n")), "is not YAML as meant: a value that begins with * stands for another one, which there is not; put it in quotes"
	}
	m := syntaxError.FindStringSubmatch(text)
	if m == nil {
		return 1, "is not YAML"
	}
	line, _ = strconv.Atoi(m[1])
	return line, "is not YAML: " + quoted.ReplaceAllString(text[len(m[0]):], "(a word)") +
		"; look for wrong indentation, tabs, and values with ': ', '@', '&' or '%' that are not in quotes"
}

// builder makes nodes of the library's, aliases and merges written out, within
// bounds.
type builder struct {
	at   func(line int) plan.Source
	left int
}

var errTooMuch = errors.New("has more nodes, or deeper ones, than any such file: aliases of aliases? Write them out")

func (b *builder) build(y *yaml.Node, depth int) (Node, error) {
	n := Node{at: b.at(y.Line)}
	if b.left--; b.left < 0 || depth > maxDepth {
		return n, &plan.Error{At: n.at, Err: errTooMuch}
	}
	var err error
	switch y.Kind {
	case yaml.DocumentNode:
		return b.build(y.Content[0], depth)
	case yaml.AliasNode:
		if n, err = b.build(y.Alias, depth+1); err == nil {
			n.at = b.at(y.Line)
		}
		return n, err
	case yaml.ScalarNode:
		n.kind, n.text, n.literal = scalar, y.Value, y.Style&yaml.LiteralStyle != 0
		if y.ShortTag() == "!!null" {
			n.kind = nothing
		}
	case yaml.SequenceNode:
		n.kind = sequence
		err = b.items(&n, y, depth)
	case yaml.MappingNode:
		n.kind = mapping
		err = b.pairs(&n, y, depth)
	}
	return n, err
}

func (b *builder) items(n *Node, y *yaml.Node, depth int) error {
	for _, c := range y.Content {
		item, err := b.build(c, depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	return nil
}

func (b *builder) pairs(n *Node, y *yaml.Node, depth int) error {
	var merged []Pair
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, err := b.build(y.Content[i], depth+1)
		if err != nil {
			return err
		}
		value, err := b.build(y.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		if y.Content[i].Tag == "!!merge" {
			merged = append(merged, mergedPairs(value)...)
			continue
		}
		if value.kind == nothing && value.at.Line < key.at.Line {
			value.at = key.at
		}
		n.pairs = append(n.pairs, Pair{Key: key.text, At: key.at, Value: value})
	}
	n.merge(merged)
	return nil
}

// mergedPairs are those that << brings in: of a mapping, or of several.
func mergedPairs(value Node) []Pair {
	pairs := value.pairs
	for _, item := range value.items {
		pairs = append(pairs, item.pairs...)
	}
	return pairs
}

// merge adds pairs whose keys are not there.
func (n *Node) merge(pairs []Pair) {
	there := make(map[string]bool)
	for _, p := range n.pairs {
		there[p.Key] = true
	}
	for _, p := range pairs {
		if !there[p.Key] {
			there[p.Key] = true
			n.pairs = append(n.pairs, p)
		}
	}
}
