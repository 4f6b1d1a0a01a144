package app

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadOfListeners: they come, go, move and change, and connections of the others
// never notice.
func TestReloadOfListeners(t *testing.T) {
	a, b := answering(t, "a"), answering(t, "b")
	stays := listenerOn("stays", 6001, a)
	r := newReloadable(t, stays, listenerOn("other", 6002, a))
	r.wait("stays", a)
	r.wait("other", a)
	kept, old := r.dial(6001), r.dial(6002)
	if kept.served() != "a" || old.served() != "a" {
		t.Fatal("nobody serves")
	}
	check := func(what, got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: told %q, want %q", what, got, w)
			}
		}
		if kept.served() != "a" {
			t.Errorf("%s: the connection of another listener has suffered", what)
		}
	}

	check("another backend", r.reload(stays, listenerOn("other", 6002, b)), "listeners[1].backends.addresses")
	r.wait("other", b)
	if got := r.dial(6002).served(); got != "b" {
		t.Errorf("new clients are served by %s", got)
	}
	if old.served() != "a" {
		t.Error("a connection to a backend that is gone was broken")
	}

	check("another port", r.reload(stays, listenerOn("other", 6003, b, "timeouts: {drain: 1m}")), "listeners[1].port: 6002 -> 6003", "listeners[1].timeouts.drain")
	if r.dial(6003).served() != "b" {
		t.Error("nobody serves at the new port")
	}
	r.nobody(6002)
	if old.served() != "a" {
		t.Error("a connection through the old port was broken")
	}

	check("limits", r.reload(stays, listenerOn("other", 6003, b, "allow: [192.0.2.0/24]")), "listeners[1].allow")
	r.refused(6003)
	check("no limits", r.reload(stays, listenerOn("other", 6003, b)), "listeners[1].allow")
	if r.dial(6003).served() != "b" {
		t.Error("nobody serves any more")
	}

	check("one more", r.reload(stays, listenerOn("other", 6003, b), listenerOn("third", 6004, b)), "listeners[2]: third is new")
	r.wait("third", b)
	last := r.dial(6004)
	if last.served() != "b" {
		t.Error("the new one does not serve")
	}
	check("two less", r.reload(stays), "listeners: other is gone", "listeners: third is gone")
	r.nobody(6003)
	r.nobody(6004)
	if last.served() != "b" {
		t.Error("a connection of a listener that has gone was broken")
	}
	if n := len(r.Status().Listeners); n != 1 {
		t.Errorf("%d listeners are told of", n)
	}
}

// TestReloadWithoutABackend: its connections have the time of a drain, unless it comes
// back.
func TestReloadWithoutABackend(t *testing.T) {
	a, b := answering(t, "a"), answering(t, "b")
	r := newReloadable(t, listenerOn("l", 6001, a))
	r.wait("l", a)
	c := r.dial(6001)
	c.served()
	r.reload(listenerOn("l", 6001, b))
	r.reload(listenerOn("l", 6001, a, "timeouts: {drain: 1ms}")) // it is back
	parting := &r.front.named("l").parting
	parting.mu.Lock()
	ends := parting.timers[a] != nil
	parting.mu.Unlock()
	if c.served() != "a" || ends {
		t.Error("a connection was broken, or will be")
	}
	r.reload(listenerOn("l", 6001, b, "timeouts: {drain: 1ms}"))
	r.log.wait(t, "reason=\"it is no backend any more\"")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after its drain: %v", err)
	}
}

// TestReloadOfChecks: the new way counts at once.
func TestReloadOfChecks(t *testing.T) {
	a := answering(t, "a")
	r := newReloadable(t, listenerOn("l", 6001, a, "panic: refuse"))
	r.wait("l", a)
	text := strings.Replace(listenerOn("l", 6001, a, "panic: refuse"), "type: tcp", "type: http, path: /healthz", 1)
	r.reload(text)
	r.log.wait(t, `backend=`+a.String()+" from=suspect to=down")
	r.reload(listenerOn("l", 6001, a))
	for r.Status().Listeners[0].Backends[0].State != "up" {
		time.Sleep(time.Millisecond)
	}
	if r.dial(6001).served() != "a" {
		t.Error("nobody serves")
	}
}

// TestReloadIsWhole: whatever is in the way, nothing has changed.
func TestReloadIsWhole(t *testing.T) {
	a, b := answering(t, "a"), answering(t, "b")
	first := listenerOn("first", 6001, a)
	r := newReloadable(t, first)
	r.wait("first", a)
	taken, err := net.Listen("tcp", r.addr+":6009")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	changed := listenerOn("first", 6001, b, "allow: [192.0.2.0/24]")
	for name, tc := range map[string]struct {
		want      string
		listeners []string
	}{
		"a port that is taken": {"listener second: listen on " + r.addr + ":6009: address already in use", []string{changed, listenerOn("third", 6008, a), listenerOn("second", 6009, a)}},
		"moved to one":         {"listener first: listen on " + r.addr + ":6009: address already in use", []string{listenerOn("third", 6008, a), strings.Replace(changed, "6001", "6009", 1)}},
		"a file of a check":    {"no such file or directory", []string{changed, strings.Replace(listenerOn("second", 6008, a), "tcp", "https, caFile: /nonexistent/ca.crt", 1)}},
		"a mistake":            {"listeners[0].port", []string{strings.Replace(changed, "6001", "660001", 1)}},
		"another one's place":  {"listener second: listen on " + r.addr + ":6001: address already in use", []string{strings.Replace(changed, "first", "second", 1)}},
	} {
		r.set(tc.listeners...)
		before := r.reloads.inForce.Load()
		if _, err := r.Reload(false); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if r.reloads.inForce.Load() != before || r.reloads.refused.Load() == nil {
			t.Errorf("%s: another configuration is in force", name)
		}
		if r.dial(6001).served() != "a" {
			t.Errorf("%s: something has changed", name)
		}
		r.nobody(6008)
	}
	r.set(changed, listenerOn("second", 6008, b))
	done, err := r.Reload(true)
	if err != nil || !done.Dry || len(done.Changes) != 3 {
		t.Errorf("dry: %+v, %v", done, err)
	}
	if r.dial(6001).served() != "a" {
		t.Error("dry: something has changed")
	}
	r.nobody(6008)
	if r.reload(first); r.reloads.refused.Load() != nil {
		t.Error("a reload that succeeds leaves the refusal of an earlier one")
	}
}

// TestReloadForgets: the series of a listener go with its last connection, and until
// then nobody takes its name.
func TestReloadForgets(t *testing.T) {
	a := answering(t, "a")
	first, second := listenerOn("first", 6001, a), listenerOn("second", 6002, a)
	r := newReloadable(t, first, second)
	r.wait("second", a)
	c := r.dial(6002)
	c.served()
	series := func() (names []string) {
		families, err := r.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "listener" && l.GetValue() == "second" {
						names = append(names, f.GetName())
					}
				}
			}
		}
		return names
	}
	if len(series()) == 0 {
		t.Fatal("nothing is counted")
	}
	r.reload(first)
	r.set(first, second)
	if _, err := r.Reload(false); err == nil || !strings.Contains(err.Error(), "listener second: an earlier one of that name still drains") {
		t.Errorf("%v", err)
	}
	if c.served() != "a" {
		t.Error("a connection was broken")
	}
	c.Close()
	for end := time.Now().Add(time.Minute); len(series()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("series are left: %v", series())
		}
	}
	r.reload(first, second)
}
