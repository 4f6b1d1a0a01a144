package haproxy

import (
	"errors"
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	env := map[string]string{"A": "one", "LIST": "x  y z", "_b2": "two"}
	for text, want := range map[string][]string{
		``:                           nil,
		"  \t # all comment":         nil,
		`bind :6443#comment`:         {"bind", ":6443"},
		`a\ b c\#d \"e\" \'f\' g\\h`: {"a b", "c#d", `"e"`, "'f'", `g\h`},
		`"a b" 'c d' e"f g"'h i'`:    {"a b", "c d", "ef gh i"},
		`'a "b" \ $A' "it's"`:        {`a "b" \ $A`, "it's"},
		`"" x ''`:                    {"", "x", ""},
		`"$A" "${A}x" "$_b2/"`:       {"one", "onex", "two/"},
		`$A ${A}`:                    {"$A", "${A}"},
		`"\$A" '$A'`:                 {"$A", "$A"},
		`"${NO-fall back}" "${A-no}"`: {
			"fall back", "one"},
		`"${LIST}" "${LIST[*]}"`:  {"x  y z", "x", "y", "z"},
		`a\tb\nc\rd\x41 \.+ \1`:   {"a\tb\nc\rdA", `\.+`, `\1`},
		`"a#b"`:                   {"a#b"},
		"server a 10.0.0.1:1\r":   {"server", "a", "10.0.0.1:1"},
		`ends with a backslash \`: {"ends", "with", "a", "backslash", `\`},
	} {
		got, err := split(text, lookup(env))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("split(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestSplitRefuses(t *testing.T) {
	for text, want := range map[string]error{
		`"open`: errQuote, `'open`: errQuote, `"${A"`: errBrace, `"${A+b}"`: errBrace, `"${A[1]}"`: errBrace,
		`"$"`: errName, `"${}"`: errName, `"$1"`: errName, `\x4`: errHex, `\xzz`: errHex,
	} {
		if got, err := split(text, lookup(nil)); !errors.Is(err, want) {
			t.Errorf("split(%q) = %q, %v; want %v", text, got, err, want)
		}
	}
}
