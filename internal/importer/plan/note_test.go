package plan

import "testing"

// TestNoteIsALine: whatever stands in a file, a note of it does nothing to the
// terminal that shows it, nor to the YAML whose comment it is.
func TestNoteIsALine(t *testing.T) {
	n := Note{Lost, Source{"f\x1b[31m", 3}, "word\nwith\x00 \xff ünï", "why"}
	if got, want := n.String(), "f?[31m:3: lost: word?with? ? ünï: why"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	v := Because(1, Source{"f", 1}, "a\tb\x07\u2028c")
	if got, want := v.comment(), "f:1: a b? c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
