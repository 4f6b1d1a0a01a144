package doctor

import (
	"fmt"
	"io"
	"strings"
)

// TextOptions say how findings are told.
type TextOptions struct {
	All   bool // with what is fine, line by line
	Color bool
}

var levelColors = map[Level]string{Fault: "31", Warning: "33", Unseen: "36", Fine: "32"}

// Text tells findings to a person: in their order, each with what was seen, why it
// matters and what mends it, and in the end how many there were of each kind.
func Text(w io.Writer, findings []Finding, o TextOptions) error {
	var b strings.Builder
	count := make(map[Level]int)
	for _, f := range findings {
		count[f.Level]++
		if f.Level == Fine && !o.All {
			continue
		}
		level := fmt.Sprintf("%-7s", f.Level)
		if o.Color {
			level = "\x1b[" + levelColors[f.Level] + "m" + level + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s  %s%s: %s\n", level, f.Topic, onNode(f.Node), f.Saw)
		further(&b, "why", f.Why)
		further(&b, "mend", f.Mend)
	}
	fmt.Fprintf(&b, "%s, %s, %d not seen, %d fine\n",
		plural(count[Fault], "fault"), plural(count[Warning], "warning"), count[Unseen], count[Fine])
	_, err := io.WriteString(w, b.String())
	return err
}

func onNode(node string) string {
	if node == "" {
		return ""
	}
	return " on " + node
}

func further(b *strings.Builder, what, text string) {
	if text != "" {
		fmt.Fprintf(b, "         %-4s  %s\n", what, strings.ReplaceAll(text, "\n", "\n               "))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
