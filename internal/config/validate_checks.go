package config

import (
	"net/http"
	"slices"
	"time"
)

// check is how backends are probed.
func (d *decoder) check(at string, raw rawCheck) Check {
	c := Check(raw)
	d.goesWith(at, raw.Type != CheckTCP, "https or http", "path", "expect", "host")
	d.goesWith(at, raw.Type == CheckHTTPS, "https", "serverName", "caFile", "certFile", "keyFile")
	if (raw.CertFile == "") != (raw.KeyFile == "") {
		d.report(at, "has one of certFile and keyFile; write both or none")
	}
	switch {
	case raw.Type == CheckTCP:
		c.Path = ""
	case c.Path == "":
		d.report(at+".path", "is empty; write one like /readyz")
	case len(c.Expect) == 0:
		c.Expect = []int{http.StatusOK}
	}
	d.statuses(at+".expect", raw.Expect)
	c.FastInterval = d.atMost(at, "fastInterval", raw.FastInterval, "interval", raw.Interval)
	if c.StandbyInterval < c.Interval {
		if d.given[at+".standbyInterval"] {
			d.report(at+".standbyInterval", "%s is shorter than interval, %s; a standby probes more seldom", raw.StandbyInterval, raw.Interval)
		}
		c.StandbyInterval = c.Interval
	}
	return c
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
