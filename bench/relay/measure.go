package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/bench/internal/machine"
	"github.com/kshalb/kshalb/internal/lab"
)

// measure runs one workload through one candidate, with processes of their own,
// and returns the figures by the keys of metrics.
func (b *bed) measure(ctx context.Context, c candidate, w workload, counted time.Duration) (_ map[string]float64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s through %s: %w", w.name, c.name, err)
		}
	}()
	var undo []func() error
	defer func() {
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
	}()
	for _, p := range b.ports() {
		server, err := b.play(b.server, order{Role: "server", Listen: netip.AddrPortFrom(b.server.Addr(), p)})
		if err != nil {
			return nil, err
		}
		undo = append(undo, server.Kill)
	}
	balancer, stop, err := c.start(b)
	if err != nil {
		return nil, err
	}
	undo = append(undo, stop)
	figures, err := b.load(ctx, c, balancer, w, counted)
	if err != nil && balancer != nil {
		err = fmt.Errorf("%w; %s said: %s", err, balancer.Name(), balancer.Tail(500))
	}
	return figures, err
}

// load runs the clients.
func (b *bed) load(ctx context.Context, c candidate, balancer *lab.Process, w workload, counted time.Duration) (map[string]float64, error) {
	to := b.balancer.Addr()
	if c.direct {
		to = b.server.Addr()
	}
	o := order{
		Role: "client", Kind: w.kind, To: netip.AddrPortFrom(to, port),
		Conns: w.conns, Answer: w.answer, Warm: warm(counted), Time: counted,
	}
	if err := b.answering(ctx, o); err != nil {
		return nil, err
	}
	if balancer != nil {
		pids, err := machine.Family(balancer.PID())
		if err != nil {
			return nil, err
		}
		o.Balancer = pids
	}
	if w.flows == 0 {
		return b.run(ctx, o)
	}
	return b.beside(ctx, o, w.flows)
}

// beside runs a client while another one has bulk flows.
func (b *bed) beside(ctx context.Context, o order, flows int) (map[string]float64, error) {
	other := o
	other.Kind, other.Conns, other.To = bulk, flows, netip.AddrPortFrom(o.To.Addr(), bulkPort)
	p, err := b.play(b.client, other)
	if err != nil {
		return nil, err
	}
	figures, err := b.run(ctx, o)
	flowed, err2 := outcomeOf(ctx, p)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	figures["flows"] = flowed["rate"]
	return figures, nil
}

// answering waits until the way to the server is open, so that all of the
// balancer's processes are there to be found.
func (b *bed) answering(ctx context.Context, o order) error {
	o.Kind = await
	_, err := b.run(ctx, o)
	return err
}

// run plays a client to its end.
func (b *bed) run(ctx context.Context, o order) (map[string]float64, error) {
	p, err := b.play(b.client, o)
	if err != nil {
		return nil, err
	}
	return outcomeOf(ctx, p)
}

// patience is what a client may take in all: ten thousand connections through a
// slow balancer take some seconds.
const patience = 2 * time.Minute

func outcomeOf(ctx context.Context, p *lab.Process) (map[string]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it took longer than %s", patience))
	defer cancel()
	if err := p.Wait(ctx); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	var out outcome
	if err := json.Unmarshal([]byte(p.Tail(4096)), &out); err != nil {
		return nil, fmt.Errorf("%s ended with %v and said %q", p.Name(), p.State(), p.Tail(500))
	}
	if out.Error != "" {
		return nil, errors.New(out.Error)
	}
	return out.Metrics, nil
}
