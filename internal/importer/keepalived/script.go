package keepalived

import (
	"maps"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// What a script, or a process that is tracked, looks at.
type subject int

const (
	unclear subject = iota
	proxyLives
	apiServer
	network
)

// script is something that is tracked: vrrp_script, vrrp_track_process, track_file.
type script struct {
	kind   string
	at     plan.Source
	about  subject
	weight int
	used   bool
}

// proxies are programs in whose place kshalb stands.
var proxies = []string{"haproxy", "nginx", "envoy", "traefik", "ha_proxy", "gobetween", "ipvs", "lvs", "_lb", "-lb", "balancer"}

// subjectOf guesses from a command, of which nothing is kept.
func subjectOf(text string) subject {
	text = strings.ToLower(text)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	switch {
	case has(proxies...):
		return proxyLives
	case has("apiserver", "api-server", "api_server", ":6443", "/6443", " 6443", "/readyz", "/livez", "kube"):
		return apiServer
	case has("/ping ", "ping -", "fping", "arping", "gateway"):
		return network
	}
	return unclear
}

var scriptRules = rules{}.
	with(plan.Needless, "interval timeout rise fall init_fail user weight", "it belongs to a script, and kshalb runs none").
	with(plan.Needless, "param_match quorum quorum_max fork_delay terminate_delay delay full_command init_file", "it belongs to what is tracked, and kshalb tracks nothing but its own backends")

// script reads vrrp_script.
func (h *host) script(b *node) { h.tracked(b, "track_script", "script") }

// process reads vrrp_track_process.
func (h *host) process(b *node) { h.tracked(b, "track_process", "process") }

// file reads track_file.
func (h *host) file(b *node) { h.tracked(b, "track_file", "file") }

func (h *host) tracked(b *node, by, what string) {
	s := &script{kind: b.key, at: b.at, about: subjectOf(b.arg(0))}
	if by == "track_file" {
		s.weight = 1
	}
	key := by + " " + b.arg(0)
	if h.scripts[key] != nil {
		h.notes.add(plan.Fault, b.at, b.key+" "+label(b.arg(0)), "another one has that name; give each its own")
		s.used = true
	}
	h.scripts[key] = s
	for _, n := range b.kids {
		switch n.key {
		case what, "script", "process", "file":
			if about := subjectOf(strings.Join(n.args, " ")); about != unclear {
				s.about = about
			}
			continue
		case "weight":
			s.weight = h.weightOf(n.at, n.key, n.arg(0))
		}
		h.notes.other(n, b.key, scriptRules)
	}
}

func (h *host) weightOf(at plan.Source, key, word string) int {
	w, ok := number(word, -1<<31, 1<<31-1)
	if !ok {
		h.notes.bad(at, key, word, "a number from -253 to 253")
	}
	return w
}

// unused tells of scripts that nothing tracks, which keepalived does not run.
func (h *host) unused() {
	for _, key := range slices.Sorted(maps.Keys(h.scripts)) {
		if s := h.scripts[key]; !s.used {
			_, name, _ := strings.Cut(key, " ")
			h.notes.add(plan.Needless, s.at, s.kind+" "+label(name), "nothing tracks it, so keepalived takes no notice of it either")
		}
	}
}
