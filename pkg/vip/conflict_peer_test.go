package vip

import (
	"strings"
	"testing"
	"time"
)

// A peer that goes on and on saying that it has the VIP while this node holds it does
// not say so by its kshalb.
func TestJudgePeerInsists(t *testing.T) {
	b := newBench(true)
	for range 3 { // as keepalived: five frames, and five more after five seconds
		for range 5 {
			b.hears(aPeer, true)
		}
		b.after(5 * time.Second)
	}
	if b.counted != 10 {
		t.Errorf("%d conflicts counted, want those after the first frames", b.counted)
	}
	c := b.conflict(b.now)
	if c == nil || c.MAC.String() != aPeer.String() || !c.Since.Equal(b.start) || !strings.Contains(c.String(), "master2") {
		t.Fatalf("conflict %v", c)
	}
	if n := strings.Count(b.lines.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, b.lines.String())
	}
	if b.obstacle(b.now) != nil {
		t.Errorf("a peer keeps this node from holding: %v", b.obstacle(b.now))
	}
	b.after(shown)
	if c := b.conflict(b.now); c != nil {
		t.Errorf("still told: %v", c)
	}
}

// What is left over of a time in which a peer held is no conflict.
func TestJudgePeerWasHolder(t *testing.T) {
	for name, play := range map[string]func(b *bench){
		"it announces, then this node takes over": func(b *bench) {
			for range 100 {
				b.hears(aPeer, false)
				b.after(100 * time.Millisecond)
			}
			b.held = b.now
			for range 20 { // its last frames are late by two seconds
				b.hears(aPeer, true)
				b.after(100 * time.Millisecond)
			}
		},
		"a late frame each time": func(b *bench) {
			for range 10 {
				b.held = b.now
				b.hears(aPeer, true)
				b.after(2 * time.Second)
				b.hears(aPeer, false)
				b.after(2 * time.Second)
			}
		},
		"a late frame now and then": func(b *bench) {
			for range 10 {
				b.hears(aPeer, true)
				b.after(goneAfter + time.Second)
			}
		},
		"several peers": func(b *bench) {
			other := hardware{2, 0, 0, 0, 0, 3}
			b.peers[other] = "master3"
			b.hears(aPeer, true)
			b.after(goneAfter - time.Second)
			b.hears(other, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(true)
			play(b)
			if c := b.conflict(b.now); c != nil || b.counted > 0 || strings.Contains(b.lines.String(), "WARN") {
				t.Errorf("conflict %v, %d counted:\n%s", c, b.counted, b.lines.String())
			}
		})
	}
}
