package keepalived

import (
	"fmt"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The ranges of check's keys, and of timeouts.
const (
	minInterval     = 100 * time.Millisecond
	maxInterval     = time.Hour
	minFast         = 50 * time.Millisecond
	minProbeTimeout = 10 * time.Millisecond
	maxProbeTimeout = time.Minute
	maxCount        = 100
	maxIdle         = 168 * time.Hour
)

// pace is when a check runs. A real server has that of its virtual server, and a
// checker that of its real server, as far as it says nothing else.
type pace struct {
	loop, again, timeout plan.Value[time.Duration]
	retries              plan.Value[int]
}

var paceRules = rules{}.
	with(plan.Needless, "warmup", "kshalb varies the times of its checks by itself").
	with(plan.Needless, "log_all_failures", "kshalb logs what changes, and counts failures in its metrics")

// take reads a line about when checks run, and reports whether it is one.
func (p *pace) take(h *host, n *node) bool {
	switch n.key {
	case "delay_loop":
		p.loop = h.timeOf(n, p.loop)
	case "delay_before_retry":
		p.again = h.timeOf(n, p.again)
	case "connect_timeout":
		p.timeout = h.timeOf(n, p.timeout)
	case "retry", "nb_get_retry":
		v, ok := number(n.arg(0), 0, 1<<31-1)
		if !ok {
			h.notes.bad(n.at, n.key, n.arg(0), "a number")
			break
		}
		p.retries = plan.Because(v, n.at, n.key)
	default:
		r, ok := paceRules[n.key]
		if ok {
			h.notes.add(r.level, n.at, n.key, r.why)
		}
		return ok
	}
	return true
}

func (h *host) timeOf(n *node, otherwise plan.Value[time.Duration]) plan.Value[time.Duration] {
	d, ok := seconds(n.arg(0))
	if !ok {
		h.notes.bad(n.at, n.key, n.arg(0), "a number of seconds")
		return otherwise
	}
	return plan.Because(d, n.at, n.key)
}

// set writes the pace into a check, with kshalb's ranges.
func (p pace) set(h *host, c *plan.Check) {
	if p.loop.Given() {
		c.Interval = p.loop
		c.Interval.V, c.Interval.Why = within(p.loop, minInterval, maxInterval)
		h.notes.add(plan.Changed, p.loop.From, fmt.Sprintf("delay_loop %v", p.loop.V), "so long a dead backend may go unnoticed by checks; kshalb's own interval is 500ms,"+
			" and costs a backend two small requests a second. Take check.interval away for that")
	}
	if p.timeout.Given() {
		c.Timeout = p.timeout
		c.Timeout.V, c.Timeout.Why = within(p.timeout, minProbeTimeout, maxProbeTimeout)
	}
	if p.retries.Given() {
		fall, why := clip(min(p.retries.V, maxCount)+1, 1, maxCount)
		if why == "" {
			why = fmt.Sprintf("the first failure and %s %d", p.retries.Why, p.retries.V)
		}
		c.Fall = plan.Because(fall, p.retries.From, why)
	}
	p.setAgain(h, c)
}

// setAgain writes the time before a retry, which is not longer than the interval.
func (p pace) setAgain(h *host, c *plan.Check) {
	switch {
	case !p.again.Given():
	case !c.Interval.Given():
		h.notes.add(plan.Changed, p.again.From, "delay_before_retry", "without delay_loop kshalb's own pace is kept: every 500ms, and every 100ms after a failure")
	default:
		c.FastInterval = p.again
		c.FastInterval.V, c.FastInterval.Why = within(p.again, minFast, c.Interval.V)
	}
}

func within(v plan.Value[time.Duration], low, high time.Duration) (time.Duration, string) {
	d, why := clip(v.V, low, high)
	if why == "" {
		why = v.Why
	}
	return d, why
}

// bounded is a timeout of the kernel's as kshalb takes it.
func bounded(v plan.Value[time.Duration], most time.Duration) plan.Value[time.Duration] {
	if v.Given() && v.V > most {
		v.V, v.Why = most, "the most that kshalb has"
	}
	return v
}
