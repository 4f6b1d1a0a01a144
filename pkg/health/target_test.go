package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// diary notes transitions as "1.05 up" and the like: when, since the start in
// seconds, and what one has become.
type diary struct {
	began time.Time
	mu    sync.Mutex
	lines []string
}

func newDiary() *diary { return &diary{began: time.Now()} }

func (d *diary) notify(tr Transition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf("%.2f %s", time.Since(d.began).Seconds(), tr.To))
}

func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("transitions %q, want %q", d.lines, want)
	}
	d.lines = nil
}

var quick = Config{
	Interval: 500 * time.Millisecond, FastInterval: 100 * time.Millisecond, DownInterval: 500 * time.Millisecond,
	Timeout: 400 * time.Millisecond, Rise: 2, Fall: 2,
}

var refusal = Evidence{Reason: "connection refused"}

// TestFrozen: one that stops to answer is a suspect after an interval and a timeout
// at most, and down one more timeout later, at whatever moment that happens.
func TestFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober = f
		var at [Down + 1]time.Time
		_, stop := run(t, cfg, []netip.AddrPort{one}, func(tr Transition) { at[tr.To] = tr.At })
		var suspect, down time.Duration // the longest
		for phase := range 300 {
			f.set(5*time.Millisecond, one, nil)
			time.Sleep(10*time.Second + time.Duration(phase)*7*time.Millisecond)
			f.set(time.Hour, one, nil)
			frozen := time.Now()
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if !at[Suspect].After(frozen) || !at[Down].After(at[Suspect]) {
				t.Fatalf("frozen at %s, a suspect at %s, down at %s", frozen, at[Suspect], at[Down])
			}
			suspect, down = max(suspect, at[Suspect].Sub(frozen)), max(down, at[Down].Sub(at[Suspect]))
		}
		stop()
		if most := cfg.Interval*11/10 + cfg.Timeout; suspect > most || suspect < most-100*time.Millisecond {
			t.Errorf("a suspect after %s, want at most %s, and nearly that", suspect, most)
		}
		if down != cfg.Timeout {
			t.Errorf("down %s later, want %s", down, cfg.Timeout)
		}
		if f.overlap {
			t.Error("two probes of a target at once")
		}
	})
}

// TestSilenceIsAskedAtOnce: silence on a kept connection is cleared up at once, even
// if the fast pace is not fast.
func TestSilenceIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober, cfg.FastInterval = f, 10*time.Second
		var at [Down + 1]time.Time
		_, stop := run(t, cfg, []netip.AddrPort{one}, func(tr Transition) { at[tr.To] = tr.At })
		time.Sleep(100 * time.Millisecond) // the first probe was on a fresh connection
		f.set(time.Hour, one, nil)
		time.Sleep(5 * time.Second)
		stop()
		if d := at[Down].Sub(at[Suspect]); d != cfg.Timeout {
			t.Errorf("down %s after the suspicion, want %s", d, cfg.Timeout)
		}
		if want := []bool{true, false, true}; !slices.Equal(f.fresh[:3], want) {
			t.Errorf("fresh connections %t, want %t", f.fresh[:3], want)
		}
	})
}

// TestShortOfOurOwn: what this host lacks makes suspects, and brings nobody down.
func TestShortOfOurOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober = f
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		defer stop()
		time.Sleep(100 * time.Millisecond)
		f.set(0, one, &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)})
		time.Sleep(time.Minute)
		if s := c.Status()[0]; s.State != Suspect || s.Reason != "too many open files" {
			t.Errorf("%s: %s", s.State, s.Reason)
		}
		f.set(0, one, nil)
		time.Sleep(time.Second)
		if s := c.Status()[0]; s.State != Up {
			t.Errorf("%s when there is no want any more", s.State)
		}
	})
}

// TestReport: evidence makes a suspect at once, and a probe, at once, acquits it.
func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.took = 10 * time.Millisecond
		cfg := quick
		cfg.Prober, cfg.Interval = f, time.Hour
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		time.Sleep(time.Second)
		c.Report(one, refusal)
		time.Sleep(time.Second)
		d.expect(t, "0.01 up", "1.00 suspect", "1.01 up")

		f.set(10*time.Millisecond, one, errors.New("gone"))
		c.Report(one, refusal)
		c.Report(one, refusal) // one piece of evidence is as good as many
		c.Report(two, refusal) // who is not asked is ignored
		time.Sleep(time.Second)
		d.expect(t, "2.00 suspect", "2.01 down")
		if fresh, kept := f.connections(); kept > 0 {
			t.Errorf("%d probes on fresh connections and %d on kept ones", fresh, kept)
		}
		stop()
		c.Report(one, refusal) // nobody is there to listen
	})
}

// TestReportDoesNotDecide: even if one failure is enough, it has to be a probe's.
func TestReportDoesNotDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.took = 10 * time.Millisecond
		cfg := quick
		cfg.Prober, cfg.Interval, cfg.Fall = f, time.Hour, 1
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		defer stop()
		time.Sleep(time.Second)
		c.Report(one, Evidence{Reason: "reset before the first byte", Provocable: true})
		time.Sleep(time.Second)
		d.expect(t, "0.01 up", "1.00 suspect", "1.01 up")
		f.set(10*time.Millisecond, one, errors.New("gone"))
		c.Report(one, refusal)
		time.Sleep(time.Second)
		d.expect(t, "2.00 suspect", "2.01 down")
	})
}

// TestReportsCompete: what clients can cause leaves room for what they can't.
func TestReportsCompete(t *testing.T) {
	provoked := Evidence{Reason: "reset before the first byte", Provocable: true}
	for _, all := range [][]Evidence{{provoked, refusal}, {refusal, provoked}, {provoked, refusal, provoked}} {
		tg := newTarget(New(quick, nil, ignore, slog.New(slog.DiscardHandler), NewMetrics(nil)), one)
		for _, e := range all {
			tg.report(e)
		}
		if got := <-tg.reports; got != refusal {
			t.Errorf("of %v %v is left", all, got)
		}
	}
}

// TestReportMeanwhile: a probe that was on its way when evidence came does not
// refute it; another one does.
func TestReportMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober, cfg.Timeout = f, time.Second
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		defer stop()
		time.Sleep(100 * time.Millisecond)
		f.set(800*time.Millisecond, one, nil)
		time.Sleep(500 * time.Millisecond) // the second probe is on its way
		c.Report(one, refusal)
		synctest.Wait()
		d.expect(t, "0.00 up", "0.60 suspect")
		began := f.begun(one)[1]
		time.Sleep(time.Until(began.Add(810 * time.Millisecond)))
		if s := c.Status()[0]; s.State != Suspect || len(f.begun(one)) != 3 {
			t.Errorf("%s after the probe that was on its way, %d probes; want a third one at once", s.State, len(f.begun(one)))
		}
		time.Sleep(800 * time.Millisecond)
		if s := c.Status()[0]; s.State != Up {
			t.Errorf("%s after the next one", s.State)
		}
	})
}

// TestProvocable: what a client can cause is not believed again and again.
func TestProvocable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick
		cfg.Prober, cfg.Interval = newFake(), time.Hour
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		defer stop()
		provoked := Evidence{Reason: "reset before the first byte", Provocable: true}
		time.Sleep(time.Second)
		for range 90 {
			c.Report(one, provoked)
			time.Sleep(100 * time.Millisecond)
		}
		d.expect(t, "0.00 up", "1.00 suspect", "1.00 up")
		c.Report(one, refusal)
		d.expect(t, "10.00 suspect", "10.00 up")
		time.Sleep(2 * time.Second)
		c.Report(one, provoked)
		d.expect(t, "12.00 suspect", "12.00 up")
	})
}

// TestHeard: one whose connections bring bytes is slow, not dead.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var heard func() uint64
		cfg := quick
		cfg.Prober, cfg.Heard = f, func(netip.AddrPort) uint64 { return heard() }
		for _, silent := range []bool{false, true} {
			f.set(0, one, nil)
			began := time.Now()
			heard = func() uint64 {
				if silent {
					return 1 << 20
				}
				return uint64(time.Since(began))
			}
			var last State
			_, stop := run(t, cfg, []netip.AddrPort{one}, func(tr Transition) { last = tr.To })
			time.Sleep(time.Second)
			f.set(time.Hour, one, nil)
			time.Sleep(time.Minute)
			stop()
			if want := map[bool]State{false: Draining, true: Down}[silent]; last != want {
				t.Errorf("silent %t: %s, want %s", silent, last, want)
			}
		}
	})
}

// TestStandby: who serves nobody asks more seldom, and at once when that changes.
func TestStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober, cfg.StandbyInterval = f, 10*time.Second
		c, stop := run(t, cfg, []netip.AddrPort{one}, ignore)
		defer stop()
		c.SetStandby(true)
		time.Sleep(105 * time.Second)
		if n := len(f.begun(one)); n < 9 || n > 13 {
			t.Errorf("%d probes in 105 s", n)
		}
		before := len(f.begun(one))
		c.SetStandby(false)
		c.SetStandby(false)
		synctest.Wait()
		if n := len(f.begun(one)); n != before+1 {
			t.Errorf("%d probes at once, want 1", n-before)
		}
		time.Sleep(10 * time.Second)
		if n := len(f.begun(one)) - before; n < 18 {
			t.Errorf("%d probes in 10 s after that", n)
		}
		if fresh, kept := f.connections(); fresh != (fresh+kept+freshEvery-1)/freshEvery {
			t.Errorf("%d probes on fresh connections and %d on kept ones", fresh, kept)
		}
	})
}

// TestSetTargets: what is known of those that stay is kept; new ones are asked at
// once; those that go are not asked any more.
func TestSetTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober = f
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		time.Sleep(time.Second)
		c.SetTargets([]netip.AddrPort{two, one, two})
		synctest.Wait()
		s := c.Status()
		if len(s) != 2 || s[0].Target != two || s[0].State != Up || s[1].State != Up || time.Since(s[1].Since) != time.Second {
			t.Errorf("status %+v", s)
		}
		d.expect(t, "0.00 up", "1.00 up")
		c.SetTargets([]netip.AddrPort{two})
		synctest.Wait()
		n := len(f.begun(one))
		f.set(0, one, errors.New("gone"))
		time.Sleep(time.Minute)
		if len(f.begun(one)) != n {
			t.Error("one that is gone is asked")
		}
		d.expect(t)
		stop()
		c.SetTargets([]netip.AddrPort{one}) // after the end
		if s := c.Status(); len(s) != 1 || s[0].State != Unknown {
			t.Errorf("status %+v after the end", s)
		}
	})
}

// TestGoneWhileNotifying: one that goes while its change is told, or found out,
// leaves no series behind and is not told of again.
func TestGoneWhileNotifying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		m := NewMetrics(nil)
		cfg := quick
		cfg.Prober = f
		var c *Checker
		told := 0
		c = New(cfg, []netip.AddrPort{one}, func(Transition) {
			told++
			c.SetTargets(nil)
		}, slog.New(slog.DiscardHandler), m)
		gone := c.targets[0]
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = c.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		<-ended
		gone.add(dead, "too late", time.Now())
		if n := testutil.CollectAndCount(m.transitions); n != 0 || told != 1 {
			t.Errorf("%d series are left, %d transitions were told, want 0 and 1", n, told)
		}
		c.SetTargets([]netip.AddrPort{two})
		if n := testutil.CollectAndCount(m.transitions); n != 4 {
			t.Errorf("%d series of a new target, want 4", n)
		}
	})
}

// TestReportWhileNotifying: who is told of a transition may wait for one that
// reports meanwhile.
func TestReportWhileNotifying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set(0, one, errors.New("gone"))
		cfg := quick
		cfg.Prober = f
		var c *Checker
		c = New(cfg, []netip.AddrPort{one}, func(Transition) {
			done := make(chan struct{})
			go func() {
				c.Report(one, refusal)
				_ = c.Status()
				close(done)
			}()
			<-done
		}, slog.New(slog.DiscardHandler), NewMetrics(nil))
		ended := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { defer close(ended); _ = c.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		<-ended
	})
}
