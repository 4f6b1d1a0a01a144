package drill

import (
	"fmt"
	"time"

	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

// Report is what a drill has seen. Its JSON is for scripts.
type Report struct {
	VIP               string  `json:"vip"`
	Address           string  `json:"address"`
	From              string  `json:"from"`   // the node from which it was seen
	Holder            string  `json:"holder"` // before all, and after it
	LeaseMilliseconds int64   `json:"leaseMilliseconds"`
	Wire              bool    `json:"wire"`      // somebody looked who answers
	RealWatch         bool    `json:"realWatch"` // of Kubernetes; else an idle connection
	Rounds            []Round `json:"rounds"`
	Left              []Left  `json:"left,omitempty"`
	Restored          bool    `json:"restored"`
}

// Left is a kind that was left out.
type Left struct {
	Kind Kind   `json:"kind"`
	Why  string `json:"why"`
}

// Round is one thing that was done, and what came of it.
type Round struct {
	Kind   Kind   `json:"kind"`
	Struck string `json:"struck"` // the holder
	Taken  string `json:"taken"`  // who has the address after it
	Fresh  Client `json:"newConnections"`
	Kept   Client `json:"keptConnection"`
	Watch  Client `json:"watch"`
	Wire   *Wire  `json:"wire,omitempty"`
	// Faults are bounds that were not kept, in words.
	Faults []string `json:"faults,omitempty"`
}

// Client is how one fared. Times are in milliseconds.
type Client struct {
	Requests int            `json:"requests,omitempty"`
	Failed   int            `json:"failed,omitempty"`
	Broken   int            `json:"broken"` // connections
	Gap      int64          `json:"gapMilliseconds"`
	Bound    int64          `json:"boundMilliseconds"`
	Errors   map[string]int `json:"errors,omitempty"`
}

// Faults reports whether a bound was not kept.
func (r *Report) Faults() bool {
	for _, round := range r.Rounds {
		if len(round.Faults) > 0 {
			return true
		}
	}
	return false
}

// measure takes what the clients saw from the fault until all was over.
func (r *Round) measure(t trio, struck, end time.Time) {
	f, k := t.fresh.Summary(struck, end), t.kept.Summary(struck, end)
	r.Fresh = Client{Requests: f.Requests, Failed: f.Failed, Gap: f.Gap.Milliseconds(), Errors: f.Errors}
	r.Kept = Client{Requests: k.Requests, Failed: k.Failed, Broken: k.Broken, Gap: k.Gap.Milliseconds(), Errors: k.Errors}
	gap, broken := t.watch.Told(struck, end)
	r.Watch = Client{Broken: broken, Gap: gap.Milliseconds()}
}

// bounds are how long each client may go without an answer.
type bounds struct{ fresh, kept, watch time.Duration }

// What is allowed beyond the lease: a crash is over within 1.3 leases (the voters
// count a little longer than the holder, and one of them asks); clients that only
// wait are told within another second. A handover takes some milliseconds.
const (
	handoverBound = 150 * time.Millisecond
	tellBound     = time.Second
	// lingerBound is for an address that the kernel does not guard: its own lifetime
	// is in whole seconds.
	lingerBound = 3500 * time.Millisecond
)

// bounds of a kind, where usual is the longest gap without any fault.
func (d *Drill) bounds(k Kind, v status.VIP, usual time.Duration) bounds {
	if k == Handover {
		return bounds{handoverBound + usual, 2*handoverBound + usual, 2*handoverBound + usual}
	}
	crash := d.cfg.Election.Lease*13/10 + 2*usual
	for _, f := range v.Fence {
		if f.Layer == "kernel" && f.Reason != "" {
			crash += lingerBound
		}
	}
	if fault.Kind(k) == fault.Pause { // it may have renewed the lease just before
		crash += d.cfg.Election.Renew
	}
	return bounds{crash, crash + tellBound, crash + tellBound}
}

// judge holds what was seen against the bounds.
func (r *Round) judge(b bounds) {
	for _, c := range []struct {
		name  string
		of    *Client
		bound time.Duration
	}{{"new connections", &r.Fresh, b.fresh}, {"the kept connection", &r.Kept, b.kept}, {"the watch", &r.Watch, b.watch}} {
		c.of.Bound = c.bound.Milliseconds()
		switch {
		case c.of.Gap <= c.of.Bound:
		case c.of == &r.Watch && r.Watch.Broken == 0:
			r.Faults = append(r.Faults, fmt.Sprintf("the watch: in %d ms nobody told it that its server had gone, at most %d are promised", c.of.Gap, c.of.Bound))
		default:
			r.Faults = append(r.Faults, fmt.Sprintf("%s: %d ms without an answer, at most %d are promised", c.name, c.of.Gap, c.of.Bound))
		}
	}
	if r.Wire != nil && r.Wire.Doubles > 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("two had the address at the same time, say the answers to %d of %d questions: this must never be; keep the logs of all nodes",
			r.Wire.Doubles, r.Wire.Questions))
	}
}
