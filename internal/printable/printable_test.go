package printable

import "testing"

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"listener ü: 100 %":         "listener ü: 100 %",
		"\x1b]0;owned\a\x1b[2J":     "?]0;owned??[2J",
		"two\nlines\tand\u202eback": "two?lines?and?back",
		"\xff\xfe, \ufffd, \x00":    "??, ?, ?",
	} {
		if got := Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
