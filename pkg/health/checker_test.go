package health

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var (
	one = netip.MustParseAddrPort("192.168.0.1:6443")
	two = netip.MustParseAddrPort("192.168.0.2:6443")
)

// fake is a Prober whose probes take a time and end as told. It notes when
// they began and whether two of a target were on their way at once.
type fake struct {
	mu      sync.Mutex
	took    time.Duration
	fail    map[netip.AddrPort]error
	starts  map[netip.AddrPort][]time.Time
	fresh   []bool
	running map[netip.AddrPort]bool
	overlap bool
	expiry  time.Time // of all targets
}

func newFake() *fake {
	return &fake{
		fail:    map[netip.AddrPort]error{},
		starts:  map[netip.AddrPort][]time.Time{},
		running: map[netip.AddrPort]bool{},
	}
}

// Open implements Prober.
func (f *fake) Open(target netip.AddrPort) Session { return &fakeSession{f, target} }

type fakeSession struct {
	*fake
	target netip.AddrPort
}

func (s *fakeSession) Probe(ctx context.Context, fresh bool) error {
	return s.ask(ctx, s.target, fresh)
}
func (s *fakeSession) Close()            {}
func (s *fakeSession) Expiry() time.Time { return s.expiry }

func (f *fake) ask(ctx context.Context, target netip.AddrPort, fresh bool) error {
	f.mu.Lock()
	f.starts[target] = append(f.starts[target], time.Now())
	f.fresh = append(f.fresh, fresh)
	f.overlap = f.overlap || f.running[target]
	f.running[target] = true
	took := f.took
	f.mu.Unlock()

	var err error
	select {
	case <-time.After(took):
	case <-ctx.Done():
		if err = ctx.Err(); !fresh {
			err = &silence{err}
		}
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[target] = false
	if err == nil {
		err = f.fail[target]
	}
	return err
}

// begun returns when the probes of a target began.
func (f *fake) begun(target netip.AddrPort) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.starts[target])
}

// connections returns how many probes were on fresh connections, and how many were not.
func (f *fake) connections() (fresh, kept int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, is := range f.fresh {
		if is {
			fresh++
		} else {
			kept++
		}
	}
	return fresh, kept
}

func (f *fake) set(took time.Duration, target netip.AddrPort, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took, f.fail[target] = took, err
}

// run starts a Checker inside a synctest bubble. It stops with the test.
func run(t *testing.T, cfg Config, targets []netip.AddrPort, notify func(Transition)) (*Checker, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := New(cfg, targets, notify, slog.New(slog.DiscardHandler), NewMetrics(nil))
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Cleanup(stop)
	return c, stop
}

func ignore(Transition) {}

func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.took = 30 * time.Millisecond
		began := time.Now()
		_, stop := run(t, Config{Prober: f, Interval: time.Second, Timeout: time.Second}, []netip.AddrPort{one, two}, ignore)
		time.Sleep(200 * time.Second)
		stop()
		for target, starts := range f.starts {
			if !starts[0].Equal(began) {
				t.Errorf("%s: first probe after %v, want at once", target, starts[0].Sub(began))
			}
			least, most := time.Hour, time.Duration(0)
			for i, s := range starts[1:] {
				d := s.Sub(starts[i])
				least, most = min(least, d), max(most, d)
			}
			if least < 900*time.Millisecond || most > 1100*time.Millisecond {
				t.Errorf("%s: probes %v to %v apart, want 1 s ± 10 %%", target, least, most)
			}
			if least > 950*time.Millisecond || most < 1050*time.Millisecond {
				t.Errorf("%s: probes %v to %v apart, want more jitter", target, least, most)
			}
		}
	})
}

// TestSlowProbe: a probe that takes longer than the interval is waited for,
// and one that takes longer than the timeout is broken off.
func TestSlowProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.took = time.Minute
		c, stop := run(t, Config{Prober: f, Interval: 100 * time.Millisecond, Timeout: 3 * time.Second}, []netip.AddrPort{one}, ignore)
		time.Sleep(30*time.Second + time.Millisecond)
		synctest.Wait()
		s := c.Status()[0]
		if s.State != Down || s.Reason != "timeout after 3s" || s.LastProbe != 3*time.Second {
			t.Errorf("status %+v, want down after a timeout of 3s", s)
		}
		stop()
		if n := len(f.starts[one]); n != 11 {
			t.Errorf("%d probes in 30 s of 3 s each, want the 11th to have begun", n)
		}
		if f.overlap {
			t.Error("two probes of a target at once")
		}
	})
}

// TestStop: a probe on its way is broken off, joined, and tells nothing.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.took = time.Hour
		began := time.Now()
		c, stop := run(t, Config{Prober: f, Timeout: time.Hour}, []netip.AddrPort{one, two}, func(tr Transition) {
			t.Errorf("a broken off probe told %+v", tr)
		})
		synctest.Wait()
		stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %v", took)
		}
		if f.running[one] || f.running[two] {
			t.Error("Run returned before its probes")
		}
		if s := c.Status()[1]; s.Target != two || s.State != Unknown || s.LastProbe != 0 {
			t.Errorf("status %+v, want an unknown %s", s, two)
		}
	})
}

func TestTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(time.Millisecond, two, syscall.ECONNREFUSED)
		var mu sync.Mutex
		told := map[netip.AddrPort][]Transition{}
		cfg := Config{Prober: f, Interval: time.Second, Timeout: time.Second, Rise: 3, Fall: 2}
		c, stop := run(t, cfg, []netip.AddrPort{one, two}, func(tr Transition) {
			mu.Lock()
			defer mu.Unlock()
			told[tr.Target] = append(told[tr.Target], tr)
		})
		time.Sleep(500 * time.Millisecond)
		f.set(time.Millisecond, one, errors.New("odd\x1b[31m"))
		time.Sleep(1900 * time.Millisecond) // two more probes: they are 0.9 to 1.1 s apart
		f.set(time.Millisecond, two, nil)
		time.Sleep(10 * time.Second)
		stop()
		want := map[netip.AddrPort]string{
			one: "unknown>up probe succeeded; up>suspect odd?[31m; suspect>down odd?[31m; ",
			two: "unknown>down connection refused; down>up probe succeeded; ",
		}
		for target, want := range want {
			var got strings.Builder
			for _, tr := range told[target] {
				got.WriteString(tr.From.String() + ">" + tr.To.String() + " " + tr.Reason + "; ")
			}
			if got.String() != want {
				t.Errorf("%s: %s\nwant %s", target, got.String(), want)
			}
		}
		last := told[two][1]
		if s := c.Status()[1]; s.State != Up || s.Since != last.At || s.Reason != last.Reason || s.LastProbe != time.Millisecond {
			t.Errorf("status %+v, last transition %+v", s, last)
		}
		if d := last.At.Sub(f.starts[two][0]); d < 5*900*time.Millisecond {
			t.Errorf("up after %v, before three successes", d)
		}
	})
}

func TestMetricsAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(time.Millisecond, two, syscall.EHOSTUNREACH)
		f.expiry = time.Unix(2e9, 0)
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		reg := prometheus.NewRegistry()
		m := NewMetrics(reg)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, name := range []string{"apiserver", "web"} {
			c := New(Config{Name: name, Prober: f, Interval: time.Hour}, []netip.AddrPort{one, two}, ignore, log, m)
			wg.Go(func() { _ = c.Run(ctx) })
			time.Sleep(time.Second)
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP kshalb_health_backend_certificate_expiry_timestamp_seconds When the certificate ends that the backend showed last, in Unix seconds.
# TYPE kshalb_health_backend_certificate_expiry_timestamp_seconds gauge
kshalb_health_backend_certificate_expiry_timestamp_seconds{backend="192.168.0.1:6443",listener="apiserver"} 2e+09
kshalb_health_backend_certificate_expiry_timestamp_seconds{backend="192.168.0.1:6443",listener="web"} 2e+09
kshalb_health_backend_certificate_expiry_timestamp_seconds{backend="192.168.0.2:6443",listener="apiserver"} 2e+09
kshalb_health_backend_certificate_expiry_timestamp_seconds{backend="192.168.0.2:6443",listener="web"} 2e+09
# HELP kshalb_health_backend_up 1 when the backend is up or under suspicion, 0 when it is draining or down; missing while unknown.
# TYPE kshalb_health_backend_up gauge
kshalb_health_backend_up{backend="192.168.0.1:6443",listener="apiserver"} 1
kshalb_health_backend_up{backend="192.168.0.1:6443",listener="web"} 1
kshalb_health_backend_up{backend="192.168.0.2:6443",listener="apiserver"} 0
kshalb_health_backend_up{backend="192.168.0.2:6443",listener="web"} 0
# HELP kshalb_health_transitions_total Changes of a backend's state, by the new state.
# TYPE kshalb_health_transitions_total counter
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="apiserver",to="down"} 0
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="apiserver",to="draining"} 0
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="apiserver",to="suspect"} 0
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="apiserver",to="up"} 1
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="web",to="down"} 0
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="web",to="draining"} 0
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="web",to="suspect"} 0
kshalb_health_transitions_total{backend="192.168.0.1:6443",listener="web",to="up"} 1
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="apiserver",to="down"} 1
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="apiserver",to="draining"} 0
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="apiserver",to="suspect"} 0
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="apiserver",to="up"} 0
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="web",to="down"} 1
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="web",to="draining"} 0
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="web",to="suspect"} 0
kshalb_health_transitions_total{backend="192.168.0.2:6443",listener="web",to="up"} 0
`), "kshalb_health_backend_up", "kshalb_health_backend_certificate_expiry_timestamp_seconds", "kshalb_health_transitions_total"); err != nil {
			t.Error(err)
		}
		if n := testutil.CollectAndCount(m.duration); n != 2 {
			t.Errorf("%d probe durations, want one a listener", n)
		}
		cancel()
		wg.Wait()
		if n := testutil.CollectAndCount(m.states); n != 0 {
			t.Errorf("%d states after the checkers have ended", n)
		}
		for _, want := range []string{
			`level=INFO msg="backend up" listener=apiserver backend=192.168.0.1:6443 from=unknown to=up reason="probe succeeded"`,
			`level=WARN msg="backend down" listener=web backend=192.168.0.2:6443 from=unknown to=down reason="no route to host"`,
		} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("log lacks %s; it is:\n%s", want, text.String())
			}
		}
		if n := strings.Count(text.String(), "\n"); n != 4 {
			t.Errorf("%d lines for 4 transitions", n)
		}
	})
}

// TestSuccessor: while two checkers of a listener run, the newer one speaks.
func TestSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		m := NewMetrics(reg)
		for _, err := range []error{nil, errors.New("down")} {
			f := newFake()
			f.set(0, one, err)
			ctx, cancel := context.WithCancel(t.Context())
			c := New(Config{Name: "a", Prober: f, Interval: time.Hour}, []netip.AddrPort{one}, ignore, slog.New(slog.DiscardHandler), m)
			done := make(chan struct{})
			go func() { defer close(done); _ = c.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-done })
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if got := testutil.ToFloat64(m.states); got != 0 {
			t.Errorf("backend up is %v, want the newer checker's 0", got)
		}
	})
}
