package config

import (
	"net/http"
	"slices"
	"time"
)

// ready are the statuses that mean ready by default.
func ready() []int { return []int{http.StatusOK} }

// check is how backends are probed.
func (d *decoder) check(at string, raw rawCheck) Check {
	c := Check(raw)
	d.goesWith(at, raw.Type != CheckTCP, "https or http", "path", "expect")
	d.goesWith(at, raw.Type != CheckTCP || raw.Host == "", "https or http", "host")
	d.withTLS(at, raw)
	switch {
	case raw.Type == CheckTCP:
		c.Path = ""
	case c.Path == "":
		d.report(at+".path", "is empty; write one like /readyz")
	case len(c.Expect) == 0:
		c.Expect = ready()
	}
	d.statuses(at+".expect", raw.Expect)
	d.paces(at, &c)
	return c
}

// inEffect is a raw check with what its defaults come to. What a type has no use
// for stays as it is, so that a change of type is one change.
func inEffect(raw rawCheck, c Check) rawCheck {
	path := raw.Path
	raw = rawCheck(c)
	raw.Path = path
	if len(raw.Expect) == 0 {
		raw.Expect = ready()
	}
	return raw
}

// withTLS is what only an https check can use.
func (d *decoder) withTLS(at string, raw rawCheck) {
	for _, key := range []struct{ name, text string }{
		{"serverName", raw.ServerName}, {"caFile", raw.CAFile}, {"certFile", raw.CertFile}, {"keyFile", raw.KeyFile},
	} {
		d.goesWith(at, raw.Type == CheckHTTPS || key.text == "", "https", key.name)
	}
	if (raw.CertFile == "") != (raw.KeyFile == "") {
		d.report(at, "has one of certFile and keyFile; write both or none")
	}
}

// paces holds the intervals against each other. Of those that are not given the
// slower ones follow an interval that is longer than they are by default: whoever
// asks seldom means all of it.
func (d *decoder) paces(at string, c *Check) {
	c.FastInterval = d.atMost(at, "fastInterval", c.FastInterval, "interval", c.Interval)
	if !d.given[at+".downInterval"] {
		c.DownInterval = max(c.DownInterval, c.Interval)
	}
	if c.DownInterval < c.FastInterval {
		d.report(at+".downInterval", "%s is shorter than fastInterval, %s, at which a backend is asked once it has answered; write that or more",
			c.DownInterval, c.FastInterval)
	}
	if c.StandbyInterval < c.Interval && d.given[at+".standbyInterval"] {
		d.report(at+".standbyInterval", "%s is shorter than interval, %s; a standby probes more seldom", c.StandbyInterval, c.Interval)
	}
	c.StandbyInterval = max(c.StandbyInterval, c.Interval)
}

// atMost returns a value that may not exceed another one: a default gives way.
func (d *decoder) atMost(at, key string, value time.Duration, than string, bound time.Duration) time.Duration {
	if value > bound && d.given[at+"."+key] {
		d.report(at+"."+key, "%s is longer than %s, %s; write that or less", value, than, bound)
	}
	return min(value, bound)
}

// goesWith reports keys that are given and mean nothing with this type.
func (d *decoder) goesWith(at string, do bool, types string, keys ...string) {
	for _, key := range keys {
		if !do && d.given[at+"."+key] {
			d.report(at+"."+key, "goes with type %s only; leave it out", types)
		}
	}
}

func (d *decoder) statuses(at string, all []int) {
	for i, status := range all {
		switch {
		case status < 200 || status > 599:
			d.report(index(at, i), "%d is no status of an answer; write one from 200 to 599", status)
		case slices.Index(all, status) < i:
			d.report(index(at, i), "%d stands there twice; write it once", status)
		}
	}
}

func (d *decoder) timeouts(at string, raw rawTimeouts) Timeouts {
	t := Timeouts(raw)
	t.Retry = d.atMost(at, "retry", raw.Retry, "connect", raw.Connect)
	return t
}
