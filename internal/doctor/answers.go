package doctor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/kshalb/kshalb/internal/config"
)

// macLength is that of a hardware address of Ethernet.
const macLength = 6

// Answers is who answers for the VIPs, as one node hears it.
type Answers struct {
	Cards map[string]string `json:"cards"` // this host's own hardware addresses, by interface
	VIPs  []VIPAnswers      `json:"vips"`
}

// VIPAnswers is who answers for one VIP.
type VIPAnswers struct {
	VIP       string   `json:"vip"`                 // its name
	Interface string   `json:"interface,omitempty"` // where it was asked for; "": this host is not in its network
	Error     string   `json:"error,omitempty"`     // why it was not asked for there
	Assigned  bool     `json:"assigned,omitempty"`  // this host has the address
	Held      bool     `json:"held,omitempty"`      // the kshalb here says that it holds it
	Knows     bool     `json:"knows,omitempty"`     // there is a kshalb here, so that Held says something
	Moved     bool     `json:"moved,omitempty"`     // either changed while it was asked
	Answered  []Answer `json:"answered,omitempty"`  // by others than this host

	// Neighbour is what this host's neighbour table has for the address, with its
	// state; nil: nothing.
	Neighbour *Neighbour `json:"neighbour,omitempty"`
}

// Answer is a hardware address that said it has a VIP.
type Answer struct {
	MAC  string       `json:"mac"`
	Also []netip.Addr `json:"also,omitempty"` // what else the neighbour table knows it by
}

// Neighbour is an entry of a neighbour table.
type Neighbour struct {
	MAC   string `json:"mac"`
	State string `json:"state"` // as ip neigh names it: reachable, stale, permanent, ...
}

func lookAnswers(ctx context.Context, l *Looker, v *View) error {
	cards, err := ownCards()
	if err != nil {
		return err
	}
	a := Answers{Cards: cards, VIPs: make([]VIPAnswers, len(l.Config.VIPs))}
	var asking sync.WaitGroup
	for i, vip := range l.Config.VIPs {
		asking.Go(func() { a.VIPs[i] = l.askFor(ctx, vip, cards) })
	}
	asking.Wait()
	v.Answers = &a
	return nil
}

// ownCards are the hardware addresses from which this host may answer: those of
// interfaces with an address that others reach.
func ownCards() (map[string]string, error) {
	addresses, err := hostAddresses()
	if err != nil {
		return nil, err
	}
	cards := make(map[string]string)
	for _, a := range addresses {
		if i, err := net.InterfaceByName(a.link); err == nil && a.prefix.Addr().IsGlobalUnicast() && len(i.HardwareAddr) == macLength {
			cards[a.link] = i.HardwareAddr.String()
		}
	}
	return cards, nil
}

// askFor asks the network for one VIP.
func (l *Looker) askFor(ctx context.Context, vip config.VIP, cards map[string]string) VIPAnswers {
	a := VIPAnswers{VIP: vip.Name}
	link, _, err := l.home(vip)
	if err != nil {
		a.Error = err.Error()
		return a
	}
	if a.Interface = link; link == "" {
		return a
	}
	before := l.ownership(vip)
	macs, err := askNetwork(ctx, link, vip.Address)
	if err != nil {
		a.Error = err.Error()
	}
	after := l.ownership(vip)
	a.Assigned, a.Held, a.Knows, a.Moved = after.assigned, after.held, after.knows, before != after
	table := neighbours(link, vip.Address)
	for _, mac := range macs {
		if !slices.Contains(sortedValues(cards), mac) {
			a.Answered = append(a.Answered, Answer{MAC: mac, Also: knownBy(table, mac, vip.Address)})
		}
	}
	a.Neighbour = entryOf(table, vip.Address)
	return a
}

// ownership is what this host has to do with a VIP at one moment.
type ownership struct{ assigned, held, knows bool }

func (l *Looker) ownership(vip config.VIP) (o ownership) {
	addresses, err := hostAddresses()
	o.assigned = err == nil && slices.ContainsFunc(addresses, func(a hostAddress) bool { return a.prefix.Addr() == vip.Address })
	if l.Held != nil {
		held := l.Held()
		o.held, o.knows = held[vip.Name], held != nil
	}
	return o
}

func sortedValues(m map[string]string) (values []string) {
	for _, key := range sortedKeys(m) {
		values = append(values, m[key])
	}
	return values
}

// knownBy are the other addresses of a hardware address.
func knownBy(table []entry, mac string, but netip.Addr) (all []netip.Addr) {
	for _, n := range table {
		if n.MAC == mac && n.ip != but {
			all = append(all, n.ip)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

func entryOf(table []entry, ip netip.Addr) *Neighbour {
	for _, n := range table {
		if n.ip == ip {
			return &n.Neighbour
		}
	}
	return nil
}
