package vip

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// bench is a judge with a clock that stands still until it is moved.
type bench struct {
	*judge
	now     time.Time
	counted int
	looks   int // at whose an address is: that may ask the kernel
	lines   strings.Builder
	peers   map[hardware]string
	probes  []time.Duration // since the start
	start   time.Time
	held    time.Time // since when this node holds, if it does
}

var thisHost, aStranger, aPeer = hardware{9}, hardware{2, 0, 0, 0, 0, 1}, hardware{2, 0, 0, 0, 0, 2}

func newBench(force bool) *bench {
	b := &bench{peers: map[hardware]string{aPeer: "master2"}, now: time.Unix(1000, 0)}
	b.start, b.held = b.now, b.now
	b.judge = newJudge(force, slog.New(slog.NewTextHandler(&b.lines, nil)), func() { b.counted++ },
		func(hw hardware) (string, bool) { b.looks++; return b.peers[hw], hw == thisHost })
	b.follow(b.now, link{7, "eth0"}, true)
	return b
}

// after lets time pass, with what is due in it.
func (b *bench) after(d time.Duration) {
	for end := b.now.Add(d); ; {
		next := b.next()
		if next.IsZero() || next.After(end) {
			b.now = end
			return
		}
		b.now = next
		if b.tick(b.now) {
			b.probes = append(b.probes, b.now.Sub(b.start))
		}
	}
}

func (b *bench) hears(hw hardware, holding bool) reply {
	if !holding {
		return b.heard(b.now, hw, time.Time{})
	}
	return b.heard(b.now, hw, b.held)
}

// In less time than a starting voter is silent (5.5 s), an address that nobody has
// is free.
func TestJudgeProbes(t *testing.T) {
	for range 100 {
		b := newBench(false)
		if err := b.obstacle(b.now); !errors.Is(err, ErrAsking) {
			t.Fatal(err)
		}
		b.after(probeWait + 2*probeMax + probeEnd)
		if err := b.obstacle(b.now); err != nil || len(b.probes) != probeCount {
			t.Fatalf("%v after probes at %v", err, b.probes)
		}
		for i, at := range b.probes[1:] {
			if gap := at - b.probes[i]; gap < probeMin || gap > probeMax {
				t.Fatalf("probes at %v", b.probes)
			}
		}
		if b.probes[0] > probeWait || !b.next().IsZero() {
			t.Fatalf("probes at %v, next at %v", b.probes, b.next())
		}
	}
}

func TestJudgeStrangerHasIt(t *testing.T) {
	b := newBench(false)
	b.after(probeWait)
	if b.hears(aStranger, false) != silence {
		t.Error("contradicted without holding")
	}
	b.after(time.Minute)
	if b.obstacle(b.now) != nil {
		t.Errorf("after a minute without an answer: %v", b.obstacle(b.now))
	}
	b.hears(aStranger, false) // it is back
	since := b.now
	for range 10 { // it answers every probe
		n := len(b.probes)
		b.after(lookAgain)
		if err := b.obstacle(b.now); err == nil || !strings.Contains(err.Error(), "02:00:00:00:00:01") || len(b.probes) != n+1 {
			t.Fatalf("obstacle %v, probes %v", err, b.probes)
		}
		b.hears(aStranger, false)
	}
	if c := b.conflict(b.now); c == nil || !c.Since.Equal(since) || !c.Last.Equal(b.now) {
		t.Errorf("conflict %+v", c)
	}
	if b.counted != 12 {
		t.Errorf("%d conflicts counted", b.counted)
	}
	b.after(goneAfter + lookAgain)
	if err := b.obstacle(b.now); err != nil || !b.next().IsZero() {
		t.Errorf("gone, and: %v, next %v", err, b.next())
	}
	b.after(shown)
	if c := b.conflict(b.now); c != nil {
		t.Errorf("still told: %+v", c)
	}
	if n := strings.Count(b.lines.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want one each minute:\n%s", n, b.lines.String())
	}
}

// Peers and this host are no conflict, also when it turns out later who it was.
func TestJudgeKin(t *testing.T) {
	b := newBench(false)
	b.hears(aPeer, false)
	b.hears(thisHost, true)
	b.hears(aStranger, false)
	b.peers[aStranger] = "master3"
	b.after(probeWait + 2*probeMax + probeEnd)
	if err, c := b.obstacle(b.now), b.conflict(b.now); err != nil || c != nil || b.counted != 0 || b.lines.Len() > 0 {
		t.Errorf("%v, %+v, %d counted:\n%s", err, c, b.counted, b.lines.String())
	}
}

// Once the cluster has had the address, or by force, nobody is waited for.
func TestJudgeLifted(t *testing.T) {
	for _, force := range []bool{true, false} {
		b := newBench(force)
		if !force {
			b.lift()
		}
		b.hears(aStranger, false)
		b.after(time.Minute)
		if err, c := b.obstacle(b.now), b.conflict(b.now); err != nil || c == nil || len(b.probes) > 0 {
			t.Errorf("%v, %+v, probes %v", err, c, b.probes)
		}
	}
}

// Nobody is looked up while there is nobody to tell of.
func TestJudgeLooksUpNobody(t *testing.T) {
	b := newBench(true)
	b.hears(aStranger, false)
	b.after(shown + time.Second)
	for name, b := range map[string]*bench{"nobody was heard": newBench(false), "that was long ago": b} {
		b.looks = 0
		if err, c := b.obstacle(b.now), b.conflict(b.now); b.looks > 0 || c != nil {
			t.Errorf("%s: %d looks, %v, %+v", name, b.looks, err, c)
		}
	}
}

func TestJudgeDefends(t *testing.T) {
	b := newBench(true)
	var defended, repaired []time.Duration
	for range 250 { // 25 s
		if b.hears(aStranger, true) == defend {
			defended = append(defended, b.now.Sub(b.start))
		}
		b.after(100 * time.Millisecond)
	}
	if len(defended) != 3 || defended[0] != 0 || defended[1] != defendInterval {
		t.Errorf("defended at %v, want once in ten seconds", defended)
	}
	begin := b.now
	for range 100 {
		if b.hears(aPeer, true) == announce {
			repaired = append(repaired, b.now.Sub(begin))
		}
		b.after(10 * time.Millisecond)
	}
	if len(repaired) != 10 {
		t.Errorf("answered a peer at %v, want every 100 ms", repaired)
	}
}

// A link without neighbours has nobody to ask.
func TestJudgeWithoutEthernet(t *testing.T) {
	b := newBench(false)
	b.follow(b.now, link{1, "lo"}, false)
	if err := b.obstacle(b.now); err != nil || !b.next().IsZero() {
		t.Errorf("%v, next %v", err, b.next())
	}
}

func TestWho(t *testing.T) {
	for mac, want := range map[string]string{
		"00:00:5e:00:01:33": "00:00:5e:00:01:33 (a VRRP router with VRID 51, a keepalived perhaps)",
		"00:00:5e:00:02:07": "00:00:5e:00:02:07 (a VRRP router with VRID 7, a keepalived perhaps)",
		"00:00:5e:00:03:07": "00:00:5e:00:03:07",
	} {
		hw, err := net.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Conflict{MAC: hw}).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A flood costs no memory and few lines, whoever sends it.
func TestJudgeFlood(t *testing.T) {
	b := newBench(true)
	b.hears(aStranger, true)
	if n := testing.AllocsPerRun(10000, func() { b.hears(aStranger, true) }); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
	for i := range 10000 {
		b.hears(hardware{4, 0, 0, 0, byte(i >> 8), byte(i)}, true)
	}
	if n := strings.Count(b.lines.String(), "\n"); n > 16 || len(b.told) > 16 {
		t.Errorf("%d lines, %d remembered", n, len(b.told))
	}
}

// Whatever is heard when: the gate opens only with nobody heard for a while, and
// the schedule never stalls while it is shut.
func TestJudgeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(false)
		var last time.Time
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				b.hears(aStranger, false)
				last = b.now
			case 1:
				b.hears(aPeer, false)
			case 2:
				b.follow(b.now, link{rapid.IntRange(1, 3).Draw(t, "link"), "eth"}, true)
			default:
				b.after(time.Duration(rapid.IntRange(0, 10000).Draw(t, "ms")) * time.Millisecond)
			}
			open := b.obstacle(b.now) == nil
			if open && !last.IsZero() && b.now.Sub(last) < goneAfter {
				t.Fatalf("free %v after a stranger was heard", b.now.Sub(last))
			}
			if !open && b.next().IsZero() {
				t.Fatal("shut, and nothing to come")
			}
		}
	})
}
