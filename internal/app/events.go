package app

import (
	"cmp"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/hooks"
	"github.com/kshalb/kshalb/pkg/health"
)

// events makes of what befalls VIPs and backends what hooks are told. Its methods
// are called by those who see to it, and do not block.
type events struct {
	node string
	tell func(hooks.Event)

	mu   sync.Mutex
	last map[string]string // by VIP: its holder, or the last one that was known
	why  map[string]string // by VIP: why this node gives it up, while it does
}

func newEvents(node string, tell func(hooks.Event)) *events {
	return &events{node: node, tell: tell, last: make(map[string]string), why: make(map[string]string)}
}

// resigning is told when this node begins to give a VIP up.
func (e *events) resigning(vip, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.why[vip] = why
}

// moved is told when the address has come to this host, or is gone from it.
func (e *events) moved(v config.VIP, here bool, term uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ev := ofVIP(v, hooks.Taken, term)
	ev.Holder, ev.Was = e.node, e.last[v.Name]
	if here {
		e.last[v.Name] = e.node
	} else {
		// Who was frozen may hear of its successor first.
		ev.Change, ev.Holder, ev.Was = hooks.Withdrawn, e.last[v.Name], e.node
		if ev.Holder == e.node {
			ev.Holder = ""
		}
		ev.Reason = cmp.Or(e.why[v.Name], "it was not given up: the lease ended, or the address could not stay")
	}
	delete(e.why, v.Name)
	e.tell(ev)
}

// held is told when somebody is known to hold a VIP; of this node moved says more.
func (e *events) held(v config.VIP, node string, term uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if node == e.node || node == e.last[v.Name] {
		return
	}
	ev := ofVIP(v, hooks.Elsewhere, term)
	ev.Holder, ev.Was = node, e.last[v.Name]
	e.last[v.Name] = node
	e.tell(ev)
}

func ofVIP(v config.VIP, change string, term uint64) hooks.Event {
	return hooks.Event{On: hooks.Holder, At: time.Now(), VIP: v.Name, Address: v.Address.String(), Change: change, Term: term}
}

// backend is told of each transition.
func (e *events) backend(l config.Listener, t health.Transition) {
	e.tell(hooks.Event{
		On: hooks.Backend, At: t.At, VIP: l.VIP, Listener: l.Name,
		Backend: t.Target.String(), From: t.From.String(), To: t.To.String(), Reason: t.Reason,
	})
}

// hooksOf are the hooks of a configuration.
func hooksOf(cfg *config.Config) (all []hooks.Hook) {
	for _, h := range cfg.Hooks {
		all = append(all, hooks.Hook(h))
	}
	return all
}
