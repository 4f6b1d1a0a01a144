package health

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestSetConfig: the new way counts at once, also while a probe of the old one hangs,
// and what was known stays until it says otherwise.
func TestSetConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := newFake(), newFake()
		cfg := quick
		cfg.Prober, cfg.Timeout = old, time.Hour
		d := newDiary()
		c, stop := run(t, cfg, []netip.AddrPort{one}, d.notify)
		time.Sleep(10 * time.Millisecond)
		d.expect(t, "0.00 up")
		old.set(time.Hour, one, nil)
		time.Sleep(10 * time.Second)
		next.set(0, one, errors.New("refused"))
		cfg = quick
		cfg.Prober, cfg.Fall = next, 3
		c.SetConfig(cfg)
		synctest.Wait()
		d.expect(t, "10.01 suspect")
		if s := c.Status()[0]; s.Reason != "refused" {
			t.Errorf("the reason is %q", s.Reason)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := next.asked(one); n < 3 || c.Status()[0].State != Down {
			t.Errorf("%s after %d probes", c.Status()[0].State, n)
		}
		asked := old.asked(one)
		time.Sleep(time.Minute)
		stop()
		if old.asked(one) != asked {
			t.Error("the old way is still used")
		}
		if next.overlap || old.overlap {
			t.Error("two probes of a target at once")
		}
	})
}

// TestSetConfigPace: another interval holds from the next probe on.
func TestSetConfigPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		cfg := quick
		cfg.Prober, cfg.Interval = f, time.Hour
		c, stop := run(t, cfg, []netip.AddrPort{one, two}, ignore)
		time.Sleep(time.Minute)
		cfg.Interval = time.Second
		c.SetConfig(cfg)
		c.SetConfig(cfg)
		time.Sleep(10 * time.Second)
		stop()
		for _, at := range []netip.AddrPort{one, two} {
			if n := f.asked(at); n < 9 || n > 13 {
				t.Errorf("%s was asked %d times", at, n)
			}
		}
	})
}

// asked is how often a target was.
func (f *fake) asked(target netip.AddrPort) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starts[target])
}
