package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/lab/traffic"
)

// stage is the masters with what runs on them, the client's requests, and the
// watch over the address.
type stage struct {
	*cluster.Cluster

	watch   *lab.Watch
	traffic *traffic.Traffic
	tasks   *errgroup.Group
	ctx     context.Context // of the tasks: its cause says which one failed
}

// build sets the stage on an empty lab. What it starts ends when ctx is done.
func build(ctx context.Context, l *lab.Lab, binary string) (*stage, error) {
	c, err := cluster.New(l, binary)
	if err != nil {
		return nil, err
	}
	s := &stage{Cluster: c, traffic: c.Traffic("/whoami")}
	s.tasks, s.ctx = errgroup.WithContext(ctx)
	for _, m := range c.Masters {
		if err := s.serve(m); err != nil {
			return nil, err
		}
	}
	if s.watch, err = l.Watch(c.VIP); err != nil {
		return nil, err
	}
	for _, m := range c.Masters {
		if err := m.Start(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// serve starts an API server on the wildcard address, as kubeadm's is.
func (s *stage) serve(m *cluster.Master) error {
	pair, err := m.Certificate(pki.Names{})
	if err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return fmt.Errorf("load the certificate of %s: %w", m.Name(), err)
	}
	ln, err := m.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	if err != nil {
		return err
	}
	s.tasks.Go(func() error { return ServeAPI(s.ctx, ln, m.Name(), cert) })
	return nil
}

// settle waits until somebody holds the VIP and every kshalb is ready. A kshalb
// that has ended is named with its last words.
func (s *stage) settle(ctx context.Context) (holder *cluster.Master, err error) {
	if err := s.WaitReady(ctx); err != nil {
		return nil, err
	}
	seen, err := s.watch.WaitOwner(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return s.Master(seen.Host), nil
}

// act is what one fault did.
type act struct {
	what     string
	from, to string
	moved    time.Duration // from the fault to the first answer of another host
	requests traffic.Summary
	doubles  []lab.Double
}

// limit of one step of the demo; the slowest takes about 3 s.
const limit = 15 * time.Second

// play does something to the holder and measures until requests are answered
// again for as long as the slowest may take to fail.
func (s *stage) play(ctx context.Context, what string, holder *cluster.Master, do func(context.Context) error) (act, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a := act{what: what, from: holder.Name()}
	start := time.Now()
	if err := do(ctx); err != nil {
		return a, err
	}
	seen, err := s.watch.WaitOwner(ctx, start, holder.Name())
	if err != nil {
		return a, fmt.Errorf("the address did not move after %s: %w", what, err)
	}
	a.to, a.moved = seen.Host, seen.To.Sub(start)
	if err := s.traffic.WaitAnswers(ctx, 50, seen.To); err != nil {
		return a, fmt.Errorf("requests did not resume after %s: %w", what, err)
	}
	end := time.Now()
	a.requests = s.traffic.Summary(start, end)
	a.doubles = s.watch.Answers().Since(start).Doubles()
	return a, nil
}

// twoOwners is an error when two hosts had the address at once, or the watch
// can't tell.
func (s *stage) twoOwners() error {
	if err := s.watch.Close(); err != nil {
		return fmt.Errorf("the watch over the address has gaps: %w", err)
	}
	var seen []string
	for _, d := range s.watch.Doubles() {
		seen = append(seen, fmt.Sprintf("%s and %s for %v", d.Hosts[0], d.Hosts[1], d.To.Sub(d.From)))
	}
	if seen != nil {
		return errors.New("two hosts had the address at the same time: " + strings.Join(seen, "; "))
	}
	return nil
}
