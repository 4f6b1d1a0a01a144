package haproxy

import (
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// line is one line of a section, in words.
type line struct {
	at      plan.Source
	words   []string // never empty
	section int      // the line where its section begins
	unset   string   // a variable in it that nobody knows
}

// word is the i-th one; "" where there is none.
func (l line) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

// from is the line without its first words.
func (l line) from(i int) []string { return l.words[min(i, len(l.words)):] }

// section is a part of the file that begins with a keyword of its own.
type section struct {
	line
	kind  string
	name  string
	base  string // of a proxy: the defaults that it names with from
	extra []string
	lines []line
}

// What the sections are.
const (
	kindGlobal   = "global"
	kindDefaults = "defaults"
	kindFrontend = "frontend"
	kindBackend  = "backend"
	kindListen   = "listen"
)

// otherSections are those that stand for nothing that kshalb has.
var otherSections = map[string]string{
	"peers":       "it shares stick tables between HAProxies",
	"resolvers":   "kshalb asks the resolver of the host for names, again and again",
	"mailers":     "kshalb sends no mail; have Prometheus watch kshalb_health_backend_up",
	"userlist":    "it holds users for HTTP, which kshalb does not read",
	"cache":       "it is for HTTP, which kshalb does not read",
	"ring":        "kshalb logs to its standard error",
	"program":     "kshalb starts no programs; make it a systemd unit or a pod",
	"http-errors": "it is for HTTP, which kshalb does not read",
	"fcgi-app":    "it is for HTTP, which kshalb does not read",
	"traces":      "it is for HAProxy's developers",
	"log-forward": "kshalb forwards no logs; leave it to HAProxy or to a log daemon",
	"log-profile": "kshalb logs to its standard error",
	"crt-store":   "kshalb ends no TLS, so it needs no certificates for clients",
	"acme":        "kshalb ends no TLS, so it needs no certificates for clients",
}

func isSection(word string) bool {
	_, other := otherSections[word]
	return other || isProxy(word) || word == kindGlobal
}

func isProxy(word string) bool {
	return slices.Contains([]string{kindDefaults, kindFrontend, kindBackend, kindListen}, word)
}

// newSection reads a section's first line.
func newSection(l line) *section {
	s := &section{line: l, kind: l.words[0]}
	rest := l.from(1)
	if len(rest) > 0 && (s.kind != kindDefaults || rest[0] != "from") {
		s.name, rest = rest[0], rest[1:]
	}
	if len(rest) > 1 && rest[0] == "from" && isProxy(s.kind) {
		s.base, rest = rest[1], rest[2:]
	}
	s.extra = rest
	return s
}

// title is the section as notes call it.
func (s *section) title() string {
	if s.name == "" {
		return s.kind
	}
	return quote(s.kind, s.name)
}
