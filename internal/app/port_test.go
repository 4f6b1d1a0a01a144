package app

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/proxy"
	"github.com/kshalb/kshalb/pkg/vip"
)

// Backends come and go on goroutines of their own: whoever is last, the redirects
// are those of what is there now.
func TestRedirectsFollowBackends(t *testing.T) {
	backends := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:6443"), netip.MustParseAddrPort("192.0.2.2:6443")}
	s := &service{pool: proxy.NewPool(proxy.PoolConfig{}, proxy.Even(backends...))}
	s.now.Store(&config.Listener{
		Address: netip.MustParseAddrPort("192.0.2.10:6443"), Bind: netip.MustParseAddrPort("192.0.2.10:26443"),
	})
	s.entry.Store(new(door))
	var last []vip.Redirect
	f := &float{front: newFront()}
	f.front.set([]*service{s})
	f.setRedirects = func(to []vip.Redirect) error {
		runtime.Gosched() // another one may come in between
		last = to
		return nil
	}
	for round := range 2000 {
		var both sync.WaitGroup
		for i, b := range backends {
			both.Go(func() {
				s.pool.SetState(b, []proxy.State{proxy.Down, proxy.Up}[(round+i)%2])
				if err := f.reroute(); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if len(last) != 1 || last[0] != (vip.Redirect{Port: 6443, To: 26443}) {
			t.Fatalf("round %d: %d backends are ready, and the redirects are %v", round, s.pool.Ready(), last)
		}
	}
	for _, b := range backends {
		s.pool.SetState(b, proxy.Down)
	}
	if err := f.reroute(); err != nil || len(last) != 0 {
		t.Errorf("without a backend: %v, %v", last, err)
	}
}
