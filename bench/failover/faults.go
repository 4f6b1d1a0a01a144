package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

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

// part does something to all paths between masters.
func part(do func(*lab.Lab, ...lab.Path) error) func(context.Context, *stand, *cluster.Master) error {
	return func(_ context.Context, s *stand, _ *cluster.Master) error {
		var paths []lab.Path
		for _, a := range s.Masters {
			for _, b := range s.others(a) {
				paths = append(paths, lab.Path{From: a.Host, To: b.Host})
			}
		}
		return do(s.Lab, paths...)
	}
}

// divide does something to all paths between the holder and the client on one
// side and the other masters on the other.
func divide(do func(*lab.Lab, ...lab.Path) error) func(context.Context, *stand, *cluster.Master) error {
	return func(_ context.Context, s *stand, holder *cluster.Master) error {
		var far []*lab.Host
		for _, m := range s.others(holder) {
			far = append(far, m.Host)
		}
		return do(s.Lab, lab.Between([]*lab.Host{holder.Host, s.Client}, far)...)
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
