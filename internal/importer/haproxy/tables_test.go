package haproxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "5000": 5 * time.Second, "20s": 20 * time.Second, "1500us": 2 * time.Millisecond, "3m": 3 * time.Minute,
		"2h": 2 * time.Hour, "1d": 24 * time.Hour, "99999999999999d": 9223372036854 * time.Millisecond,
	} {
		if got, err := parseTime(text); err != nil || got != want {
			t.Errorf("parseTime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "1m30s", "-1", "1.5s", "5 s", "1w", "5sm"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("parseTime(%q) = %v; want an error", text, got)
		}
	}
}

func TestParsePlace(t *testing.T) {
	for text, want := range map[string]string{
		"*:6443": "0.0.0.0 6443-6443", ":6443": "0.0.0.0 6443-6443", ":::6443": ":: 6443-6443", "[::]:6443": ":: 6443-6443",
		"ipv6@:6443": ":: 6443-6443", "ipv4@10.0.0.1:1-3": "10.0.0.1 1-3", "tcp6@[2001:db8::1]:9": "2001:db8::1 9-9",
		"2001:db8::12:6443": "2001:db8::12 6443-6443", "10.0.0.1": "10.0.0.1 +0", "10.0.0.1:+5": "10.0.0.1 +5",
		"10.0.0.1:-5": "10.0.0.1 -5", "api.example:80": "api.example 80-80", "[2001:db8::1]": "2001:db8::1 +0",
	} {
		p, err := parsePlace(text)
		if got := describe(p); err != nil || got != want {
			t.Errorf("parsePlace(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"/run/a.sock", "unix@/run/a.sock", "abns@x", "fd@3", "udp4@:53", "quic4@:443", ":0", ":65536", ":3-1", ":x", "10.0.0.1:+x",
		"10.0.0.256:1", "${VIP}:1", "{{vip}}:1", "<vip>:1", "a_b:1", "fe80::1%eth0:6443",
	} {
		if p, err := parsePlace(text); err == nil {
			t.Errorf("parsePlace(%q) = %s; want an error", text, describe(p))
		}
	}
}

func describe(p place) string {
	host := p.host
	if p.addr.IsValid() {
		host = p.addr.String()
	}
	if p.relative {
		return fmt.Sprintf("%s %+d", host, p.low)
	}
	return fmt.Sprintf("%s %d-%d", host, p.low, p.high)
}

func TestParsePrefix(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3": "10.1.2.3/32", "10.1.2.3/8": "10.0.0.0/8", "10.1.0.0/255.255.0.0": "10.1.0.0/16", "0.0.0.0/0": "0.0.0.0/0",
		"2001:db8::1/32": "2001:db8::/32", "10.0.0.0/0.0.0.0": "0.0.0.0/0",
	} {
		if p, ok := parsePrefix(text); !ok || p.String() != want {
			t.Errorf("parsePrefix(%q) = %v, %v; want %s", text, p, ok, want)
		}
	}
	for _, text := range []string{"", "host.example", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "-f", "/etc/list"} {
		if p, ok := parsePrefix(text); ok {
			t.Errorf("parsePrefix(%q) = %v", text, p)
		}
	}
}

// TestAllow holds rules against what they come to: prefixes, "all", or "lost".
func TestAllow(t *testing.T) {
	for _, c := range []struct{ rules, want string }{
		{"", "all"},
		{"connection accept", "all"},
		{"connection accept if lan", "all"},
		{"connection reject if !lan", "10.0.0.0/8"},
		{"connection reject unless lan", "10.0.0.0/8"},
		{"connection reject unless lan or vpn", "10.0.0.0/8 172.16.0.0/12"},
		{"connection reject if !lan !vpn", "10.0.0.0/8 172.16.0.0/12"},
		{"connection reject if ! lan", "10.0.0.0/8"},
		{"connection accept if lan; connection reject", "10.0.0.0/8"},
		{"connection accept if lan; connection reject if !vpn", "10.0.0.0/8 172.16.0.0/12"},
		{"connection accept if lan; connection reject unless vpn; connection accept", "10.0.0.0/8 172.16.0.0/12"},
		{"connection reject unless lan; connection reject unless part", "10.9.0.0/16"},
		{"connection reject unless lan; content reject unless part", "10.9.0.0/16"},
		{"session silent-drop unless part or lan", "10.0.0.0/8"},
		{"connection reject unless lan part", "10.9.0.0/16"},
		{"connection reject if { src 0.0.0.0/0 }", "lost"},
		{"connection reject unless { src 10.0.0.0/8 } || { src 127.0.0.1 }", "10.0.0.0/8 127.0.0.1/32"},
		{"connection reject unless LOCALHOST", "127.0.0.0/8"},
		{"connection reject if FALSE", "all"},
		{"connection accept if TRUE; connection reject", "all"},
		{"connection reject if lan", "lost"},
		{"connection accept if !vpn; connection reject", "lost"},
		{"connection reject if part; connection accept if lan; connection reject", "lost"},
		{"connection reject unless lan other", "lost"},
		{"connection reject unless undefined", "lost"},
		{"connection reject unless { src lan }", "lost"},
		{"connection reject unless { src -f /etc/lan }", "lost"},
		{"connection reject unless { src 10.0.0.0/8", "lost"},
		{"connection reject", "nobody"},
		{"connection reject if lan or !lan", "lost"},
		{"content accept if { req_ssl_hello_type 1 }", "all"},
		{"content accept if { req_ssl_hello_type 1 }; content reject", "lost"},
	} {
		if got := admitted(t, c.rules); got != c.want {
			t.Errorf("%s: %s; want %s", c.rules, got, c.want)
		}
	}
}

func admitted(t *testing.T, rules string) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("listen a\n bind :1\n server s 10.0.0.1:1\n acl lan src 10.0.0.0/8\n acl vpn src 172.16.0.0/12\n acl part src 10.9.0.0/16\n acl other dst_port 5\n")
	for r := range strings.SplitSeq(rules, ";") {
		if r != "" {
			text.WriteString(" tcp-request " + strings.TrimSpace(r) + "\n")
		}
	}
	p := mustRead(t, text.String())
	var prefixes []string
	for _, v := range p.Listeners[0].Allow {
		prefixes = append(prefixes, v.V.String())
	}
	worst := slices.MinFunc(append(p.Notes, plan.Note{Level: plan.Needless}), func(a, b plan.Note) int { return int(a.Level - b.Level) })
	slices.Sort(prefixes)
	switch {
	case worst.Level == plan.Fault:
		return "nobody"
	case worst.Level == plan.Lost:
		return strings.Join(append(prefixes, "lost"), " ")
	case len(prefixes) == 0:
		return "all"
	}
	return strings.Join(prefixes, " ")
}

func mustRead(t *testing.T, text string) plan.Plan {
	t.Helper()
	p, err := Read(plan.Input{Files: []plan.File{{Name: "haproxy.cfg", Data: []byte(text)}}})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func TestSources(t *testing.T) {
	pick := func(n uint8) sources {
		all := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("192.168.0.0/16")}
		s := sources{others: n&16 != 0}
		for i, p := range all {
			if n&(1<<i) != 0 {
				s.list = append(s.list, p)
			}
		}
		return s
	}
	probes := []string{"10.9.9.9", "10.1.9.9", "10.1.2.9", "192.168.1.1", "8.8.8.8", "2001:db8::1"}
	for a := range uint8(32) {
		for b := range uint8(32) {
			x, y := pick(a), pick(b)
			or, okOr := x.or(y)
			and, okAnd := x.and(y)
			for _, text := range probes {
				at := netip.MustParseAddr(text)
				if okOr && or.has(at) != (x.has(at) || y.has(at)) {
					t.Fatalf("%v or %v = %v is wrong for %s", x, y, or, text)
				}
				if okAnd && and.has(at) != (x.has(at) && y.has(at)) {
					t.Fatalf("%v and %v = %v is wrong for %s", x, y, and, text)
				}
			}
		}
	}
}

// has is the plain meaning of a set.
func (s sources) has(a netip.Addr) bool {
	return slices.ContainsFunc(s.list, func(p netip.Prefix) bool { return p.Contains(a) }) != s.others
}
