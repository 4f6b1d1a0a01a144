package haproxy

import (
	"slices"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// common is a parameter as the first server that has it says; a listener has one
// for all.
func (c *checker) common(param string) (given, bool) { return c.r.common(c.servers, param) }

func (r *reader) common(servers []*server, param string) (given, bool) {
	has := func(s *server) bool { return s.has(param) }
	i := slices.IndexFunc(servers, has)
	if i < 0 {
		return given{}, false
	}
	first := servers[i].with[param]
	differs := func(s *server) bool { return s.with[param].value != first.value }
	if slices.ContainsFunc(servers, differs) {
		r.notes.add(plan.Changed, first.line, quote(param, first.value), "the servers differ; in kshalb all backends of a listener have one, so the first was taken")
	}
	return first, true
}

// paces are how often and how patiently a check asks.
func (c *checker) paces() {
	c.out.Interval = c.pace("inter", 100*time.Millisecond, time.Hour)
	c.out.FastInterval = c.pace("fastinter", 50*time.Millisecond, time.Hour)
	c.out.DownInterval = c.pace("downinter", 100*time.Millisecond, time.Hour)
	c.order()
	if g, ok := c.common("rise"); ok {
		c.out.Rise = c.r.number(g, "rise", 1, 100)
	}
	if g, ok := c.common("fall"); ok {
		c.out.Fall = c.r.number(g, "fall", 1, 100)
	}
	if patience := c.r.span(c.be, "timeout check"); patience.Given() {
		patience.Why = "timeout check; kshalb's holds connecting, too"
		c.out.Timeout = clip(patience, 10*time.Millisecond, time.Minute)
	} else if g, ok := c.common("inter"); ok && c.out.Type.V != checkTCP {
		c.r.notes.add(plan.Changed, g.line, quote("inter", g.value)+" without timeout check", "a check may take as long there; kshalb's check.timeout stays as it is by default, 400ms, so write a longer one if answers are slow")
	}
	c.patience()
	if g, ok := c.common("observe"); ok && g.value == "layer4" {
		c.out.Passive = plan.Because(true, g.at, "observe layer4")
	} else if ok {
		c.r.notes.add(plan.Lost, g.line, quote("observe", g.value), "kshalb learns from connections, not from answers")
	}
}

// slow is from where on an interval or a timeout is worth a word.
const slow = 2 * time.Second

// patience tells when times were carried over that find dead backends late.
func (c *checker) patience() {
	var what []string
	at := c.servers[0].line
	if c.out.Interval.V > slow {
		g, _ := c.any("inter")
		what, at = append(what, quote("inter", g.value)), g.line
	}
	if c.out.Timeout.V > slow {
		what = append(what, quote(c.be.one("timeout check").words...))
	}
	if len(what) > 0 {
		c.r.notes.add(plan.Changed, at, strings.Join(what, ", "), "kept, though a dead or frozen backend is found as late as there; "+
			"without check.interval and check.timeout kshalb finds one in about a second (500ms and 400ms)")
	}
}

func (c *checker) pace(param string, low, high time.Duration) plan.Value[time.Duration] {
	g, ok := c.common(param)
	if !ok {
		return plan.Value[time.Duration]{}
	}
	d := c.r.time(g.line, param, g.value)
	if !d.Given() {
		return d
	}
	return clip(d, low, high)
}

// standardInterval is kshalb's interval when none is given.
const standardInterval = 500 * time.Millisecond

// order has intervals keep what kshalb.yaml asks of them: fast ones are no longer
// than usual ones, those of a backend that is down no shorter than fast ones.
func (c *checker) order() {
	usual := standardInterval
	if c.out.Interval.Given() {
		usual = c.out.Interval.V
	}
	if fast := &c.out.FastInterval; fast.Given() && fast.V > usual {
		fast.V, fast.Why = usual, reason(fast.Why, "not longer than interval")
	}
	if down := &c.out.DownInterval; down.Given() && c.out.FastInterval.Given() && down.V < c.out.FastInterval.V {
		down.V, down.Why = c.out.FastInterval.V, reason(down.Why, "not shorter than fastInterval")
	}
}

// tls is whom an https check believes.
func (c *checker) tls() {
	keys := []string{"verify", "ca-file", "crt", "verifyhost", "check-sni", "sni"}
	if c.out.Type.V != checkHTTPS {
		for _, key := range keys {
			if g, ok := c.any(key); ok {
				c.r.notes.add(plan.Needless, g.line, quote(key), "it goes with TLS, which these probes do not talk")
			}
		}
		return
	}
	verify, ok := c.common("verify")
	if g := c.r.globals["ssl-server-verify"]; !ok && g.words != nil {
		verify, ok = given{g, g.word(1)}, true
	}
	if ok && verify.value == "none" {
		c.r.notes.add(plan.Changed, verify.line, "verify none", verifyWhy)
	}
	if g, ok := c.common("ca-file"); ok && verify.value == "none" {
		c.r.notes.add(plan.Needless, g.line, "ca-file", "verify none has no use for it")
	} else if ok {
		c.out.CAFile = c.file(g, "ca-base", "ca-file")
	}
	if g, ok := c.common("crt"); ok {
		c.out.CertFile = c.file(g, "crt-base", "crt")
		c.out.KeyFile = c.out.CertFile
		c.out.CertFile.Why = "crt, which holds certificate and key"
		c.out.KeyFile.Why = c.out.CertFile.Why
	}
	for _, key := range slices.Backward(keys[3:]) {
		if g, ok := c.common(key); ok {
			c.serverName(g.line, g.value)
		}
	}
}

// file is an absolute path.
func (c *checker) file(g given, base, key string) plan.Value[string] {
	path := c.r.base(base, g.value)
	if path == "" || strings.ContainsRune(path, 0) {
		c.r.notes.add(plan.Lost, g.line, quote(key), "where this file is can't be told here; write its absolute path into kshalb.yaml")
		return plan.Value[string]{}
	}
	return plan.Of(path, g.at)
}

// serverName is a name, or str(NAME), that a check sends and looks for.
func (c *checker) serverName(l line, text string) {
	name := text
	if inner, ok := strings.CutPrefix(text, "str("); ok {
		name = strings.TrimSuffix(inner, ")")
	}
	if !isHostName(name) {
		c.r.notes.add(plan.Lost, l, "sni", "kshalb's probes send one name for all backends; write check.serverName")
		return
	}
	c.out.ServerName = plan.Of(name, l.at)
}
