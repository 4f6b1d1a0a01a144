package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// limit is what one step of a trial may take. The slowest step that is in order
// is a client's that finds a new owner by itself, after 45 s.
const limit = 90 * time.Second

// stand is the masters with what runs on them, and the client.
type stand struct {
	*cluster.Cluster

	system  system
	servers map[string]*server
	client  *client
	watch   time.Duration   // for which service has to last without a break
	owner   *cluster.Master // as the last trial has left it; nil before the first

	stop  context.CancelFunc // of the client
	ended chan error         // its end
}

// newStand builds it and starts everything. ctx is that of the client too.
func newStand(ctx context.Context, s setting, equal bool, binary string, watch time.Duration) (*stand, error) {
	l, err := lab.New()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	st := &stand{servers: make(map[string]*server), watch: watch, stop: cancel, ended: make(chan error, 1)}
	options, newSystem := s.make(equal)
	if st.Cluster, err = cluster.NewWith(l, binary, options); err != nil {
		cancel()
		return nil, errors.Join(err, l.Close())
	}
	st.client = newClient(st.Client, netip.AddrPortFrom(st.VIP, cluster.Port))
	go func() { st.ended <- st.client.Run(ctx) }()
	if st.system, err = newSystem(st.Cluster); err == nil {
		err = st.start()
	}
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	return st, nil
}

func (s *stand) start() error {
	for _, m := range s.Masters {
		s.servers[m.Name()] = &server{host: m.Host}
		if err := s.servers[m.Name()].start(); err != nil {
			return err
		}
	}
	for _, m := range s.Masters {
		if err := s.system.start(m); err != nil {
			return err
		}
	}
	return nil
}

// close ends everything and takes the network away.
func (s *stand) close() error {
	s.stop()
	errs := []error{<-s.ended}
	for _, m := range s.Masters {
		if server := s.servers[m.Name()]; server != nil {
			errs = append(errs, s.system.kill(m)) // children too, which the lab does not know
			server.stop()
		}
	}
	return errors.Join(append(errs, s.Lab.Close())...)
}

// settle waits until all masters are ready, one of them has the address, and it
// has served the client for a while: the owner.
func (s *stand) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %v", limit))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		owner, why := s.inOrder(ctx)
		if why == nil {
			begin := time.Now()
			why = s.servedBy(ctx, begin, owner)
			if again, err := s.inOrder(ctx); why == nil && err == nil && again == owner {
				s.owner = owner
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for masters in order: %w; last: %w", context.Cause(ctx), why)
		case <-tick.C:
		}
	}
}

// servedBy waits until a master has served the client for a while, but not much
// longer than that.
func (s *stand) servedBy(ctx context.Context, after time.Time, m *cluster.Master) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*s.watch, fmt.Errorf("%s does not serve the client", m.Name()))
	defer cancel()
	return s.client.waitSteady(ctx, after, s.watch, func(by string) bool { return by == m.Name() })
}

// inOrder returns the owner, or what is not in order.
func (s *stand) inOrder(ctx context.Context) (*cluster.Master, error) {
	owners, err := s.Lab.Owners(s.VIP)
	if err != nil {
		return nil, err
	}
	if len(owners) != 1 {
		return nil, fmt.Errorf("the address is on %d hosts %v", len(owners), owners)
	}
	owner := s.Master(owners[0])
	for _, m := range s.Masters {
		if err := s.system.settled(ctx, m, owner); err != nil {
			return nil, err
		}
	}
	return owner, nil
}

// others are the masters but one.
func (s *stand) others(than *cluster.Master) []*cluster.Master {
	var others []*cluster.Master
	for _, m := range s.Masters {
		if m != than {
			others = append(others, m)
		}
	}
	return others
}
