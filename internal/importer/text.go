package importer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// Text is the plan as kshalb.yaml, checked as `kshalb check` does. Equal plans
// give equal texts.
func Text(p plan.Plan) ([]byte, error) {
	body, err := p.YAML()
	if err != nil {
		return nil, err
	}
	text := append(head(p), body...)
	if _, err := config.Parse("kshalb.yaml", text); err != nil {
		return nil, fmt.Errorf("what was given makes no whole configuration; mend it there, or tell it by flags:\n%w\n\n%s", err, numbered(text))
	}
	return text, nil
}

func head(p plan.Plan) []byte {
	var b bytes.Buffer
	b.WriteString("# The configuration of kshalb, the same file on every node. kshalb init made it;\n" +
		"# behind each value stands where it came from. What is not here has its default.\n")
	if p.Domain.Given() {
		fmt.Fprintf(&b, "# Clients call the address %s (%s).\n", p.Domain.V, p.Domain.From)
	}
	if lost := slices.IndexFunc(p.Notes, func(n plan.Note) bool { return n.Level > plan.Lost }); lost != 0 && len(p.Notes) > 0 {
		if lost < 0 {
			lost = len(p.Notes)
		}
		b.WriteString("#\n# Look at these first:\n")
		for _, n := range p.Notes[:lost] {
			fmt.Fprintf(&b, "#   %s\n", n)
		}
	}
	return b.Bytes()
}

// numbered is a text with the numbers of its lines, for those who read what is
// wrong with it.
func numbered(text []byte) string {
	var b strings.Builder
	n := 0
	for line := range bytes.Lines(text) {
		n++
		fmt.Fprintf(&b, "%4d  %s", n, line)
	}
	return b.String()
}
