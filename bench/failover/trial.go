package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// window is what was seen in one part of a trial.
type window struct {
	gap       time.Duration
	moved     time.Duration // until another master served; 0 when none did
	doubles   int           // proven cases of two owners
	overlap   time.Duration // their time
	takeovers int
	note      string
}

// trial is what was seen of one event.
type trial struct{ fault, heal window }

// run has an event happen to masters that are all ready, and leaves them so.
func (s *stand) run(ctx context.Context, e event) (trial, error) {
	if s.owner == nil {
		if err := s.settle(ctx); err != nil {
			return trial{}, fmt.Errorf("before the first fault: %w", err)
		}
	}
	s.client.forget(time.Now().Add(-2 * time.Second))
	w, err := s.Lab.Watch(s.VIP)
	if err != nil {
		return trial{}, err
	}
	t, err := s.watched(ctx, e, s.owner, w)
	if closed := w.Close(); err == nil && closed != nil {
		err = fmt.Errorf("the observation has gaps: %w", closed)
	}
	return t, err
}

// watched is run with an observer on the wire.
func (s *stand) watched(ctx context.Context, e event, holder *cluster.Master, w *lab.Watch) (t trial, err error) {
	if _, err := w.WaitOwner(ctx, time.Now()); err != nil {
		return t, err
	}
	fault := time.Now()
	if err := e.happen(ctx, s, holder); err != nil {
		return t, fmt.Errorf("make the fault: %w", err)
	}
	wait := e.wait
	if wait == nil {
		wait = moved
	}
	note, err := wait(ctx, s, holder, w)
	if err != nil {
		return t, fmt.Errorf("after the fault: %w", err)
	}
	healing := time.Now()
	before := s.client.seen()
	t.fault = see(before, w.Answers(), fault, healing, holder.Name())
	t.fault.note = note
	if e.heal != nil {
		if err := e.heal(ctx, s, holder); err != nil {
			return t, fmt.Errorf("heal: %w", err)
		}
	}
	if err := s.settle(ctx); err != nil {
		return t, fmt.Errorf("after healing: %w", err)
	}
	// What began before healing says nothing of the time after it.
	t.heal = see(since(s.client.seen(), healing), w.Answers(), healing, time.Now(), lastBy(before))
	return t, nil
}

// moved waits until another master than the holder has served for a while.
func moved(ctx context.Context, s *stand, holder *cluster.Master, _ *lab.Watch) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no other master within %v", limit))
	defer cancel()
	return "", s.client.waitSteady(ctx, time.Now(), s.watch, func(by string) bool { return by != holder.Name() })
}

// see makes figures of what the client and the observer saw between two moments.
// holder is who had served before.
func see(attempts []attempt, answers lab.Timeline, from, to time.Time, holder string) window {
	doubles := between(answers, from, to).Doubles()
	w := window{
		gap: longestGap(attempts, from, to), takeovers: changes(since(attempts, from), holder),
		doubles: len(doubles), overlap: lab.Overlap(doubles),
	}
	if at, ok := elsewhere(attempts, from, holder); ok {
		w.moved = at.Sub(from)
	}
	return w
}

// between returns the sightings that were made between two moments.
func between(t lab.Timeline, from, to time.Time) lab.Timeline {
	return slices.DeleteFunc(t.Since(from), func(s lab.Sighting) bool { return s.To.After(to) })
}

// lastBy is who replied to the latest attempt that worked.
func lastBy(attempts []attempt) string {
	worked := served(attempts)
	if len(worked) == 0 {
		return ""
	}
	return worked[len(worked)-1].by
}
