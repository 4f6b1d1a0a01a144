package main

import (
	"context"
	"errors"
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
			happen: part((*lab.Lab).Block), heal: part((*lab.Lab).Unblock), wait: owners,
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
			happen: divide((*lab.Lab).Block), heal: divide((*lab.Lab).Unblock), wait: forgotten,
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
