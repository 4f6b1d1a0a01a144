package hooks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	var many []string
	for i := range maxLines {
		many = append(many, fmt.Sprint(i))
	}
	for name, test := range map[string]struct {
		writes []string
		want   []string
	}{
		"nothing":           {nil, nil},
		"in parts":          {[]string{"a", "b\nc", "\r\n"}, []string{"ab", "c"}},
		"an empty line":     {[]string{"\n"}, []string{""}},
		"an end without":    {[]string{"a\nb"}, []string{"a", "b"}},
		"a long line":       {[]string{long, "yz", "\nb\n"}, []string{long, "b"}},
		"a long line, once": {[]string{long + "yz\n"}, []string{long}},
		"many lines":        {[]string{strings.Join(many, "\n"), "\nlost\nlost\nlost"}, append(slices.Clone(many), "and 3 lines more")},
	} {
		var got []string
		l := &lines{say: func(line string) { got = append(got, line) }}
		for _, w := range test.writes {
			if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatal(n, err)
			}
		}
		l.end()
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
