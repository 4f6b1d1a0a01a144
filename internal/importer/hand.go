package importer

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// Hand is what a person tells by flags or answers questions with.
type Hand struct {
	VIPs      []string // addresses
	Masters   []string // NAME=ADDRESS or ADDRESS
	Witnesses []string // the same
	Port      int      // that clients connect to; 0 is not told
	Interface string
	Domain    string
	Cluster   string
	Bootstrap string
}

// Plan is what was told.
func (h Hand) Plan() (plan.Plan, error) {
	var p plan.Plan
	var errs []error
	for _, text := range h.VIPs {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("--vip %q is no IP address; write one like 192.168.0.10", text))
			continue
		}
		v := plan.VIP{Address: plan.Of(a.Unmap(), hand("vip"))}
		if h.Interface != "" {
			v.Interface = plan.Of(h.Interface, hand("interface"))
		}
		p.VIPs = append(p.VIPs, v)
		if h.Port != 0 {
			p.Listeners = append(p.Listeners, plan.Listener{Address: v.Address, Port: plan.Of(h.Port, hand("port"))})
		}
	}
	if h.Port != 0 && len(h.VIPs) == 0 {
		p.Listeners = append(p.Listeners, plan.Listener{Address: plan.Of(netip.IPv6Unspecified(), hand("port")), Port: plan.Of(h.Port, hand("port"))})
	}
	if h.Port < 0 || h.Port > 65535 {
		errs = append(errs, fmt.Errorf("--port %d: write 1 to 65535", h.Port))
	}
	for _, m := range h.Masters {
		errs = append(errs, addPeer(&p, "masters", m, false))
	}
	for _, m := range h.Witnesses {
		errs = append(errs, addPeer(&p, "witnesses", m, true))
	}
	told(&p.Domain, "domain", h.Domain)
	told(&p.ClusterName, "cluster", h.Cluster)
	told(&p.Bootstrap, "bootstrap", h.Bootstrap)
	return p, errors.Join(errs...)
}

func hand(flag string) plan.Source { return plan.Source{File: "--" + flag} }

func told(v *plan.Value[string], flag, text string) {
	if text != "" {
		*v = plan.Of(text, hand(flag))
	}
}

func addPeer(p *plan.Plan, flag, text string, witness bool) error {
	name, addr, named := strings.Cut(strings.TrimSpace(text), "=")
	if !named {
		name, addr = "", name
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return fmt.Errorf("--%s %q: write NAME=ADDRESS, such as master1=192.168.0.1", flag, text)
	}
	peer := plan.Peer{Address: plan.Of(a.Unmap(), hand(flag))}
	told(&peer.Name, flag, name)
	if witness {
		peer.Witness = plan.Of(true, hand(flag))
	}
	p.Peers = append(p.Peers, peer)
	return nil
}
