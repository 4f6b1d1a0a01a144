package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// event is what can happen to the master that holds the address. It has two
// rows in a table: for the time until it is healed, and for the time after.
type event struct {
	key           string // for -only
	title, healed string // of the rows
	equal         bool   // the masters have the same priority, with kshalb too
	relay         bool   // it is about kshalb's relay, or a command that only kshalb has

	// happen does it. heal undoes it, before the masters are waited for.
	happen, heal func(context.Context, *stand, *cluster.Master) error
	// wait ends the first window, and may note what was seen then. With nil it is
	// waited until another master has served for a while.
	wait func(context.Context, *stand, *cluster.Master, *lab.Watch) (note string, err error)

	bar, healedBar func(lease time.Duration) bar
}

func events() []event {
	return []event{
		{
			key: "cut-off", title: "holder cut off", healed: "the partition heals", bar: failed, healedBar: healed,
			happen: func(_ context.Context, _ *stand, m *cluster.Master) error { return m.Cut(lab.Isolate) }, heal: reconnect,
		},
		{
			key: "link-down", title: "link down", healed: "link up", bar: failed, healedBar: healed,
			happen: linkDown, heal: reconnect,
		},
		{
			key: "kill", title: "`kill -9`", healed: "it starts again", bar: failed, healedBar: healed,
			happen: func(_ context.Context, s *stand, m *cluster.Master) error { return s.system.kill(m) }, heal: restart,
		},
		{
			key: "stop", title: "SIGSTOP", healed: "SIGCONT", bar: failed, healedBar: healed,
			happen: func(_ context.Context, s *stand, m *cluster.Master) error { return s.system.pause(m) },
			heal:   func(_ context.Context, s *stand, m *cluster.Master) error { return s.system.proceed(m) },
		},
		{
			key: "power", title: "power loss", healed: "power back", bar: failed, healedBar: healed,
			happen: powerLoss, heal: powerBack,
		},
		{
			key: "parted", title: "masters can't see one another, the client sees all", healed: "they see one another", bar: alone, healedBar: reunited,
			happen: part((*lab.Host).Block), heal: part((*lab.Host).Unblock), wait: owners,
		},
		{
			key: "term", title: "SIGTERM", healed: "it starts again", bar: planned, healedBar: healed,
			happen: func(_ context.Context, s *stand, m *cluster.Master) error { return s.system.terminate(m) },
			heal: func(ctx context.Context, s *stand, m *cluster.Master) error {
				return errors.Join(s.system.ended(ctx, m), restart(ctx, s, m))
			},
		},
		{
			key: "handover", title: "`kshalb handover`", relay: true, bar: planned,
			happen: func(ctx context.Context, s *stand, m *cluster.Master) error { return s.system.handover(ctx, m) },
		},
		{
			key: repeated, title: "link down again and again, equal priorities", healed: "link up", equal: true, bar: noHole, healedBar: healed,
			happen: linkDown, heal: reconnect,
		},
		{
			key: "stale", title: "holder and client cut off from the others", healed: "healed, the client's neighbour entry stale", bar: alone, healedBar: stale,
			happen: divide((*lab.Host).Block), heal: divide((*lab.Host).Unblock), wait: forgotten,
		},
		{
			key: "backends", title: "the holder's backends all gone", healed: "they are back", relay: true, bar: damped, healedBar: healed,
			happen: func(_ context.Context, s *stand, m *cluster.Master) error { s.servers[m.Name()].stop(); return nil },
			heal:   func(_ context.Context, s *stand, m *cluster.Master) error { return s.servers[m.Name()].start() },
		},
	}
}

// repeated is the event of which there are -takeovers trials.
const repeated = "takeovers"

func linkDown(_ context.Context, _ *stand, m *cluster.Master) error { return m.Cut(lab.LinkDown) }

func reconnect(_ context.Context, _ *stand, m *cluster.Master) error { return m.Heal() }

func restart(_ context.Context, s *stand, m *cluster.Master) error { return s.system.start(m) }

// powerLoss takes the link first: nobody may hear how the processes end.
func powerLoss(_ context.Context, s *stand, m *cluster.Master) error {
	err := errors.Join(m.Cut(lab.LinkDown), s.system.kill(m))
	s.servers[m.Name()].stop()
	return err
}

// powerBack starts a host that has no address of its own from before.
func powerBack(_ context.Context, s *stand, m *cluster.Master) error {
	return errors.Join(m.Lose(s.VIP), m.Heal(), s.servers[m.Name()].start(), s.system.start(m))
}

// part does something from each master to each other one.
func part(do func(from, to *lab.Host) error) func(context.Context, *stand, *cluster.Master) error {
	return func(_ context.Context, s *stand, _ *cluster.Master) error {
		var errs []error
		for _, a := range s.Masters {
			for _, b := range s.others(a) {
				errs = append(errs, do(a.Host, b.Host))
			}
		}
		return errors.Join(errs...)
	}
}

// divide does something between the holder and the client on one side and the
// other masters on the other, both ways.
func divide(do func(from, to *lab.Host) error) func(context.Context, *stand, *cluster.Master) error {
	return func(_ context.Context, s *stand, holder *cluster.Master) error {
		var errs []error
		for _, near := range []*lab.Host{holder.Host, s.Client} {
			for _, far := range s.others(holder) {
				errs = append(errs, do(near, far.Host), do(far.Host, near))
			}
		}
		return errors.Join(errs...)
	}
}

// partedFor is longer than any of the systems takes to find a new owner.
const partedFor = 5 * time.Second

// owners looks for that long, and then says how many have the address.
func owners(ctx context.Context, _ *stand, _ *cluster.Master, w *lab.Watch) (string, error) {
	begin := time.Now()
	if err := observe(ctx, partedFor); err != nil {
		return "", err
	}
	seen := make(map[string]bool)
	for _, s := range w.Answers().Since(begin.Add(partedFor - shortGap)) {
		seen[s.Host] = true
	}
	return fmt.Sprintf("%d own it after %v", len(seen), partedFor), nil
}

// forgottenAfter is longer than both systems repeat their first announcements.
const forgottenAfter = 6 * time.Second

// forgotten waits until another master has the address, and for so long that the
// client's neighbour entry is no longer mended by what is announced anyway.
func forgotten(ctx context.Context, _ *stand, holder *cluster.Master, w *lab.Watch) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %v", limit))
	defer cancel()
	if _, err := w.WaitOwner(ctx, time.Now(), holder.Name()); err != nil {
		return "", err
	}
	return "", observe(ctx, forgottenAfter)
}

// observe lets time pass in which nothing is done but look.
func observe(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
