package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// Options say how to play.
type Options struct {
	Binary string // the path of kshalb, as os.Executable gives it
	Color  bool   // ANSI colours
	Live   bool   // a line that is written over while requests run; for terminals
}

// Run plays the demo and prints it to out. It takes some 15 s. It returns an
// error when the address did not move, requests did not resume or two owners
// were seen, and when ctx was done before the end. It must run as root or
// within [lab.Enter].
func Run(ctx context.Context, o Options, out io.Writer) error {
	err := run(ctx, o, out)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted before the end; everything is cleaned up")
	}
	return err
}

func run(ctx context.Context, o Options, out io.Writer) (err error) {
	if lacks := lab.Missing(); len(lacks) > 0 {
		return missing(lacks)
	}
	l, err := lab.New()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if closed := l.Close(); closed != nil {
			err = errors.Join(err, fmt.Errorf("clean up: %w", closed))
		}
	}()
	p := &printer{out: out, color: o.Color, live: o.Live}
	p.title("kshalb demo: three masters and a client, on a network inside this machine")
	s, err := build(ctx, l, o.Binary)
	if err != nil {
		return err
	}
	err = s.run(ctx, p)
	cancel()
	return errors.Join(err, s.tasks.Wait())
}

func missing(lacks []lab.Lack) error {
	errs := []error{errors.New("this machine lacks what the demo needs")}
	for _, l := range lacks {
		errs = append(errs, errors.New(l.String()))
	}
	return errors.Join(errs...)
}

// run plays on a stage that is built.
func (s *stage) run(ctx context.Context, p *printer) error {
	for _, m := range s.Masters {
		p.line("%s  %-15s  API server on [::]:%d, kshalb", m.Name(), m.Addr(), cluster.Port)
	}
	p.line("%s   %-15s  asks https://%s/whoami", s.Client.Name(), s.Client.Addr(), netip.AddrPortFrom(s.VIP, cluster.Port))

	begin := time.Now()
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	holder, err := s.settle(waiting)
	if err != nil {
		return err
	}
	p.title("%s holds %s, %s after the start", holder.Name(), s.VIP, ms(time.Since(begin)))
	if err := s.show(ctx, p, holder); err != nil {
		return err
	}
	s.tasks.Go(func() error { return s.traffic.Run(s.ctx) })
	p.title("A request each 20 ms, each on a new TLS connection")
	begin = time.Now()
	stop := p.follow(s.traffic, begin)
	err = s.traffic.WaitAnswers(waiting, 50, begin)
	stop()
	if err != nil {
		return fmt.Errorf("no requests through the address: %w", err)
	}
	p.summary(s.traffic.Summary(begin, time.Now()))

	acts, err := s.acts(ctx, p, holder)
	if err != nil {
		return err
	}
	p.table(acts)
	return s.twoOwners()
}

// show prints what the holder's kshalb says of the VIP and the backends.
func (s *stage) show(ctx context.Context, p *printer, holder *cluster.Master) error {
	n, err := holder.Status(ctx)
	if err != nil {
		return err
	}
	for _, v := range n.VIPs {
		p.line("vip %s  %s on %s  held by %s, term %d", v.Name, v.Address, v.Interface, v.Holder, v.Term)
	}
	for _, l := range n.Listeners {
		for _, b := range l.Backends {
			p.line("backend %-18s %s", b.Address, b.State)
		}
	}
	return nil
}

// acts are the faults, one after the other.
func (s *stage) acts(ctx context.Context, p *printer, holder *cluster.Master) ([]act, error) {
	kill, err := s.perform(ctx, p, "kill -9", holder, func(context.Context) error { return holder.Kshalb().Kill() })
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := holder.Start(); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.WaitReady(waiting); err != nil {
		return nil, err
	}
	p.title("kshalb on %s runs again, ready after %s", holder.Name(), ms(time.Since(begin)))

	holder = s.Master(kill.to)
	stop, err := s.perform(ctx, p, "SIGTERM", holder, func(ctx context.Context) error { return holder.Kshalb().Stop(ctx) })
	return []act{kill, stop}, err
}

func (s *stage) perform(ctx context.Context, p *printer, what string, holder *cluster.Master, do func(context.Context) error) (act, error) {
	p.title("%s of kshalb on %s, which holds the address", what, holder.Name())
	stop := p.follow(s.traffic, time.Now())
	a, err := s.play(ctx, what, holder, do)
	stop()
	if err == nil {
		p.act(a)
	}
	return a, err
}
