package discovery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world is what a resolver meets: nameservers that answer from a table, files in a
// folder, and somebody who is told. It lives in the fake time of a test.
type world struct {
	t      *testing.T
	folder string

	mu      sync.Mutex
	log     bytes.Buffer
	told    []map[Name][]netip.Addr
	answers map[question]outcome // none is errNoName
	silent  map[string]bool      // servers that never answer
	asked   []time.Duration      // since the start, about IPv4
	start   time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, folder: t.TempDir(), answers: make(map[question]outcome), silent: make(map[string]bool), start: time.Now()}
	w.write("resolv.conf", "nameserver 192.0.2.53\nnameserver 192.0.2.54\n")
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// say has the nameservers answer; no addresses at all is errNoAddress.
func (w *world) say(name string, ttl time.Duration, addresses ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	parts := split(addrs(addresses...))
	for f := range families {
		o := outcome{record: record{parts[f], ttl}}
		if len(parts[f]) == 0 {
			o = outcome{err: errNoAddress}
		}
		w.answers[question{name, f}] = o
	}
}

func (w *world) fail(name string, f family, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[question{name, f}] = outcome{err: err}
}

func (w *world) exchange(ctx context.Context, server string, timeout time.Duration, q question) (record, error) {
	w.mu.Lock()
	o, ok := w.answers[q]
	silent := w.silent[server]
	if q.family == v4 {
		w.asked = append(w.asked, time.Since(w.start))
	}
	w.mu.Unlock()
	switch {
	case silent:
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		<-ctx.Done()
		return record{}, errors.New("no answer in time")
	case !ok:
		return record{}, errNoName
	}
	return o.record, o.err
}

// when are the seconds at which the servers were asked about IPv4.
func (w *world) when() []float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var at []float64
	for _, d := range w.asked {
		at = append(at, d.Seconds())
	}
	return at
}

// run runs a resolver until the test is over.
func (w *world) run(cfg Config) {
	cfg.ResolvConf, cfg.Hosts = filepath.Join(w.folder, "resolv.conf"), filepath.Join(w.folder, "hosts")
	notify := func(m map[Name][]netip.Addr) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, m)
	}
	r := New(cfg, notify, slog.New(slog.NewTextHandler(w, nil)))
	r.exchange = w.exchange
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(func() { cancel(); running.Wait() })
	synctest.Wait()
}

func (w *world) pass(d time.Duration) {
	time.Sleep(d) // fake time
	synctest.Wait()
}

// Write takes the log.
func (w *world) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(line)
}

// with changes the world.
func (w *world) with(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// expect compares what was told since the last time.
func (w *world) expect(want ...map[Name][]netip.Addr) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, w.told, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		w.t.Errorf("told (-want +got):\n%s", diff)
	}
	w.told = nil
}

// lines counts the lines of the log with text.
func (w *world) lines(text string) int { return strings.Count(w.logged(), text) }

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func addrs(all ...string) []netip.Addr {
	var list []netip.Addr
	for _, a := range all {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

func set(name string, all ...string) map[Name][]netip.Addr {
	return map[Name][]netip.Addr{Name(name): addrs(all...)}
}

func both(a, b map[Name][]netip.Addr) map[Name][]netip.Addr {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

func faked(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

func TestAskedAgainAfterTTL(t *testing.T) {
	for name, c := range map[string]struct{ ttl, wait time.Duration }{
		"as it says": {20 * time.Second, 20 * time.Second},
		"too short":  {0, 5 * time.Second},
		"too long":   {time.Hour, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			faked(t, func(t *testing.T, w *world) {
				w.say("api.example.org.", c.ttl, "192.0.2.2", "192.0.2.1", "2001:db8::1", "192.0.2.2")
				w.run(Config{Names: []Name{"api.example.org", "api.example.org"}})
				w.expect(set("api.example.org", "192.0.2.1", "192.0.2.2", "2001:db8::1"))
				w.pass(c.wait - time.Millisecond)
				if got := w.when(); len(got) != 1 {
					t.Errorf("asked at %v", got)
				}
				w.say("api.example.org.", c.ttl, "192.0.2.1", "2001:db8::1", "192.0.2.2") // no other set
				w.pass(time.Millisecond)
				if got := w.when(); len(got) != 2 {
					t.Errorf("asked at %v", got)
				}
				w.expect()
				w.say("api.example.org.", c.ttl, "192.0.2.3")
				w.pass(c.wait)
				w.expect(set("api.example.org", "192.0.2.3"))
			})
		})
	}
}

// The smaller TTL of the two families counts.
func TestSmallestTTL(t *testing.T) {
	faked(t, func(_ *testing.T, w *world) {
		w.say("a.", time.Minute, "192.0.2.1", "2001:db8::1")
		w.answers[question{"a.", v6}] = outcome{record: record{addrs("2001:db8::1"), 7 * time.Second}}
		w.run(Config{Names: []Name{"a"}})
		w.pass(10 * time.Second)
		if diff := cmp.Diff([]float64{0, 7}, w.when()); diff != "" {
			w.t.Error(diff)
		}
	})
}

// Whatever is wrong, the last good answer is kept, the name is asked again after 5 s,
// and it is said once.
func TestKeepsTheLastGoodAnswer(t *testing.T) {
	for name, wrong := range map[string]func(*world){
		"no such name": func(w *world) { w.with(func() { clear(w.answers) }) },
		"no address":   func(w *world) { w.say("a.", time.Minute) },
		"nonsense":     func(w *world) { w.say("a.", time.Minute, "0.0.0.0", "::", "224.0.0.1") },
		"failure": func(w *world) {
			w.fail("a.", v4, errors.New("it answers SERVFAIL"))
			w.fail("a.", v6, errors.New("it answers SERVFAIL"))
		},
		"silence": func(w *world) { w.with(func() { w.silent["192.0.2.53"], w.silent["192.0.2.54"] = true, true }) },
		"no nameservers": func(w *world) {
			w.write("resolv.conf", "")
			w.with(func() { w.silent["127.0.0.1"] = true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			faked(t, func(t *testing.T, w *world) {
				w.say("a.", time.Minute, "192.0.2.1")
				w.run(Config{Names: []Name{"a"}})
				w.expect(set("a", "192.0.2.1"))
				wrong(w)
				w.pass(3 * time.Minute)
				w.expect()
				if got := w.when(); len(got) < 10 {
					t.Errorf("asked at %v: not again after 5 s", got)
				}
				if w.lines("level=WARN") != 1 || w.lines("what is known of it is kept") != 1 {
					t.Errorf("not said once:\n%s", w.logged())
				}
				w.with(func() { clear(w.silent) })
				w.write("resolv.conf", "nameserver 192.0.2.53\n")
				w.say("a.", time.Minute, "192.0.2.9")
				w.pass(20 * time.Second)
				w.expect(set("a", "192.0.2.9"))
				if w.lines("is resolved again") != 1 {
					t.Errorf("its end was not said:\n%s", w.logged())
				}
			})
		})
	}
}

// A family that nobody answers for keeps what it had; one that is said to be empty
// does not.
func TestHalfAnAnswer(t *testing.T) {
	faked(t, func(_ *testing.T, w *world) {
		w.say("a.", time.Minute, "192.0.2.1", "2001:db8::1")
		w.run(Config{Names: []Name{"a"}})
		w.expect(set("a", "192.0.2.1", "2001:db8::1"))
		w.say("a.", time.Minute, "192.0.2.2")
		w.fail("a.", v6, errors.New("it answers REFUSED"))
		w.pass(time.Minute)
		w.expect(set("a", "192.0.2.2", "2001:db8::1"))
		w.say("a.", time.Minute, "192.0.2.2")
		w.pass(retryWait)
		w.expect(set("a", "192.0.2.2"))
	})
}

// A nameserver that is dead costs its patience, not its timeout.
func TestDeadNameserver(t *testing.T) {
	faked(t, func(_ *testing.T, w *world) {
		w.silent["192.0.2.53"] = true
		w.say("a.", time.Minute, "192.0.2.1")
		w.run(Config{Names: []Name{"a"}})
		w.expect()
		w.pass(patience)
		w.expect(set("a", "192.0.2.1"))
	})
}

// What is known from before counts at once, and until there is better.
func TestKnown(t *testing.T) {
	faked(t, func(_ *testing.T, w *world) {
		w.say("b.", time.Minute, "192.0.2.2")
		w.silent["192.0.2.53"] = true
		w.run(Config{Names: []Name{"a", "b"}, Known: both(set("a", "192.0.2.1"), set("gone", "192.0.2.7"))})
		w.expect(set("a", "192.0.2.1"))
		w.pass(patience)
		w.expect(both(set("a", "192.0.2.1"), set("b", "192.0.2.2")))
	})
}

func TestHostsFileComesFirst(t *testing.T) {
	faked(t, func(t *testing.T, w *world) {
		w.write("hosts", "127.0.0.1 localhost\n192.0.2.7 master1 API.example.org # mine\nnonsense api.example.org\n2001:db8::7\tapi.example.org.\n")
		w.say("api.example.org.", time.Hour, "192.0.2.1")
		w.run(Config{Names: []Name{"api.example.org"}})
		w.expect(set("api.example.org", "192.0.2.7", "2001:db8::7"))
		if got := w.when(); len(got) > 0 {
			t.Errorf("a nameserver was asked: %v", got)
		}
		w.write("hosts", "127.0.0.1 localhost\n")
		w.pass(watchWait)
		w.expect(set("api.example.org", "192.0.2.1"))
		w.write("hosts", "192.0.2.8 api.example.org\n")
		w.pass(watchWait)
		w.expect(set("api.example.org", "192.0.2.8"))
	})
}

// resolv.conf that has changed is read at once, not when the TTL has passed.
func TestResolvConfChanges(t *testing.T) {
	faked(t, func(_ *testing.T, w *world) {
		w.write("resolv.conf", "nameserver 192.0.2.53\nsearch old.example\n")
		w.say("a.old.example.", time.Hour, "192.0.2.1")
		w.say("a.new.example.", time.Hour, "192.0.2.2")
		w.run(Config{Names: []Name{"a"}})
		w.expect(set("a", "192.0.2.1"))
		w.write("resolv.conf", "nameserver 192.0.2.53\nsearch another.example new.example\n")
		w.pass(watchWait)
		w.expect(set("a", "192.0.2.2"))
	})
}

// A name does not become another host's because a nameserver has a bad moment.
func TestDoesNotWanderInTheSearchList(t *testing.T) {
	faked(t, func(_ *testing.T, w *world) {
		w.write("resolv.conf", "nameserver 192.0.2.53\nsearch one.example two.example\n")
		w.say("a.one.example.", 10*time.Second, "192.0.2.1")
		w.say("a.two.example.", 10*time.Second, "192.0.2.2")
		w.run(Config{Names: []Name{"a"}})
		w.expect(set("a", "192.0.2.1"))
		broken := errors.New("it answers SERVFAIL")
		w.fail("a.one.example.", v4, broken)
		w.fail("a.one.example.", v6, broken)
		w.pass(time.Minute)
		w.expect()
		w.fail("a.one.example.", v4, errNoName)
		w.fail("a.one.example.", v6, errNoName)
		w.pass(time.Minute)
		w.expect(set("a", "192.0.2.2"))
	})
}

func TestTooManyAddresses(t *testing.T) {
	faked(t, func(t *testing.T, w *world) {
		var many []string
		for i := range maxAddresses + 2 {
			many = append(many, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}).String())
		}
		w.say("a.", time.Minute, many...)
		w.run(Config{Names: []Name{"a"}})
		w.pass(5 * time.Minute)
		w.expect(set("a", many[:maxAddresses]...))
		if w.lines("only the first 128 are used") != 1 {
			t.Errorf("not said once:\n%s", w.logged())
		}
	})
}

func TestCandidates(t *testing.T) {
	search := settings{search: []string{"x.example", ".", "y.example."}, ndots: 1}
	five := settings{search: []string{"svc.cluster.local"}, ndots: 5}
	for _, c := range []struct {
		name string
		s    settings
		want []string
	}{
		{"a", search, []string{"a.x.example.", "a.y.example.", "a."}},
		{"a.b", search, []string{"a.b.", "a.b.x.example.", "a.b.y.example."}},
		{"a.b.", search, []string{"a.b."}},
		{"a.b", five, []string{"a.b.svc.cluster.local.", "a.b."}},
		{"a", settings{}, []string{"a."}},
	} {
		if diff := cmp.Diff(c.want, candidates(c.name, c.s)); diff != "" {
			t.Errorf("%s with %+v: %s", c.name, c.s, diff)
		}
	}
}
