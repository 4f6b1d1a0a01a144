package app

import "github.com/kshalb/kshalb/pkg/vip"

// redirects are what brings VIP:port to the sockets of services that are not
// there themselves, and can serve: without a backend that can be used a connection is for
// whoever has the port on this host, its API server say, or for nobody.
func redirects(services []*service) (to []vip.Redirect) {
	for _, s := range services {
		cfg := s.cfg()
		if cfg.Bind != cfg.Address && !s.door().shares.Load() && s.pool.Usable() > 0 {
			to = append(to, vip.Redirect{Port: cfg.Address.Port(), To: cfg.Bind.Port()})
		}
	}
	return to
}

// reroute gives the VIP the redirects that its services need now. It may be called
// by several goroutines at once; the last look is the one that counts.
func (f *float) reroute() error {
	f.routing.Lock()
	defer f.routing.Unlock()
	return f.setRedirects(redirects(f.services()))
}
