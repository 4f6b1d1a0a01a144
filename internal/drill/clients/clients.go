package clients

import (
	"context"
	"net"
	"sync"
	"time"
)

// Every is how often a client asks.
const Every = 20 * time.Millisecond

// Fresh connects anew for each request, each Every, without waiting for the others:
// so a dead time shows in full.
type Fresh struct {
	notes
	service Service
}

// NewFresh makes one that begins with Run.
func NewFresh(s Service) *Fresh { return &Fresh{service: s} }

// Run asks until ctx ends.
func (f *Fresh) Run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		asking.Go(func() {
			err := f.once(ctx)
			if ctx.Err() == nil {
				f.add(err)
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Fresh) once(ctx context.Context) error {
	c, err := f.service.dial(ctx)
	if err != nil {
		return err
	}
	defer closed(ctx, c)()
	return f.service.ask(c, freshTimeout)
}

// Kept asks on one connection, one request after the other, Every apart, and
// connects anew when that breaks.
type Kept struct {
	notes
	service Service
}

// NewKept makes one that begins with Run.
func NewKept(s Service) *Kept { return &Kept{service: s} }

// Run asks until ctx ends.
func (k *Kept) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		k.keep(ctx, tick.C)
	}
}

func (k *Kept) keep(ctx context.Context, turn <-chan time.Time) {
	c, err := k.service.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			k.add(err)
		}
		wait(ctx, turn)
		return
	}
	defer closed(ctx, c)()
	for ctx.Err() == nil {
		err := k.service.ask(c, answerTimeout)
		if ctx.Err() != nil {
			return
		}
		k.add(err)
		if err != nil {
			k.broke()
			return
		}
		wait(ctx, turn)
	}
}

// closed has a connection end with ctx, at once; the func that it returns closes it.
func closed(ctx context.Context, c net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		_ = c.Close() // what was asked is over
	}
}

func wait(ctx context.Context, turn <-chan time.Time) {
	select {
	case <-turn:
	case <-ctx.Done():
	}
}
