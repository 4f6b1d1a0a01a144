package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// judgeLeftovers says whose remains get in the way.
func judgeLeftovers(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		s := c.Views[node].Leftovers
		if s == nil {
			continue
		}
		var found []Finding
		for _, why := range []string{s.Hidden, s.Deaf} {
			if why != "" {
				found = append(found, Finding{Level: Unseen, Saw: "not seen in part: " + why})
			}
		}
		for _, a := range s.Foreign {
			found = append(found, judgeForeign(a))
		}
		for _, r := range s.Rivals {
			found = append(found, c.judgeRival(node, r))
		}
		all = append(all, orFine(found, node, s.String())...)
	}
	return append(all, c.judgeAdverts()...)
}

// String is what was looked for where nothing was found.
func (s Leftovers) String() string {
	text := "no " + strings.Join(rivals, ", ")
	if len(s.Heard) > 0 {
		text += fmt.Sprintf("; %v of listening on %s for VRRP", listenTime, strings.Join(s.Heard, ", "))
	}
	return text
}

func judgeForeign(a ForeignAddress) Finding {
	who := "somebody else than kshalb has put it there"
	if a.Proto == keepalivedProto {
		who = "Keepalived has put it there"
	}
	f := Finding{Level: Fault,
		Saw: fmt.Sprintf("VIP %s is on %s as %s, label %q", a.Prefix.Addr(), a.Interface, a.Prefix, a.Label),
		Why: who + ", and nothing takes it away in time: this host answers for it while another node holds it," +
			" and kshalb here refuses to take it",
		Mend: fmt.Sprintf("ip address del %s dev %s, after whatever puts it there was stopped (keepalived, kube-vip,"+
			" or the network's configuration)", a.Prefix, a.Interface)}
	return f
}

// judgeRival is about one program of a node.
func (c Case) judgeRival(node string, r Rival) Finding {
	f := Finding{Level: Fine, Saw: fmt.Sprintf("%s: %s", r.Kind, r.Where)}
	if r.Runs {
		f.Saw = fmt.Sprintf("%s runs (%s)", r.Kind, r.Where)
	}
	switch {
	case len(r.VIPs) > 0 && r.Kind != "haproxy":
		f.Level = Fault
		f.Saw += ", and is to have VIP " + addressList(r.VIPs)
		f.Why = "it gives the address to a host on its own account: two would have it"
		f.Mend = r.mend()
	case r.Kind == "haproxy":
		ports := slices.DeleteFunc(slices.Clone(r.Ports), func(p uint16) bool { return !c.taken(node, p) })
		if len(ports) == 0 {
			f.Saw += ": on none of kshalb's ports"
			break
		}
		f.Level = Warning
		f.Saw += fmt.Sprintf(", and listens on %s, which kshalb serves", portList(ports))
		f.Why = "it serves whoever comes while kshalb's redirect is not there, and can keep kshalb's sockets from opening"
		f.Mend = r.mend()
	case r.Services:
		f.Saw += ", for Services only"
	default:
		f.Level = Warning
		f.Why = "it floats addresses; none of kshalb's was found in what it goes by, as far as that can be seen"
		f.Mend = r.mend() + ", if it is what kshalb replaces"
	}
	return f
}

// taken reports whether kshalb wants a port on a node: that of a listener's socket, or
// that of its clients, unless who has it there is one of its backends.
func (c Case) taken(node string, port uint16) bool {
	peer, _ := c.peer(node)
	return slices.ContainsFunc(c.Config.Listeners, func(l config.Listener) bool {
		isBackend := slices.ContainsFunc(l.Backends, func(b config.Backend) bool {
			return b.Address == netip.AddrPortFrom(peer.Address, port)
		})
		return l.Bind.Port() == port || l.Address.Port() == port && !isBackend
	})
}

func portList(ports []uint16) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = fmt.Sprint(p)
	}
	if len(words) == 1 {
		return "port " + words[0]
	}
	return "ports " + strings.Join(words, ", ")
}

// mend is what stops a program for good.
func (r Rival) mend() string {
	if strings.HasSuffix(r.Where, ".service") {
		return fmt.Sprintf("systemctl disable --now %s", r.Kind)
	}
	if !r.Runs {
		return fmt.Sprintf("move %s out of its folder, which stops it", r.Where)
	}
	return fmt.Sprintf("systemctl disable --now %s, or remove the static pod or DaemonSet that runs it", r.Kind)
}

// judgeAdverts is about what was heard, which several nodes hear at once.
func (c Case) judgeAdverts() (all []Finding) {
	type sender struct {
		source netip.Addr
		kind   string
		id     byte
	}
	heard := make(map[sender]int) // its finding
	by := make(map[sender][]string)
	for _, node := range c.Nodes() {
		if c.Views[node].Leftovers == nil {
			continue
		}
		for _, a := range c.Views[node].Leftovers.Adverts {
			s := sender{a.Source, a.Kind, a.ID}
			if _, known := heard[s]; !known {
				heard[s] = len(all)
				all = append(all, c.judgeAdvert(a))
			}
			if !slices.Contains(by[s], node) {
				by[s] = append(by[s], node)
			}
		}
	}
	for s, i := range heard {
		all[i].Saw += ", heard by " + strings.Join(by[s], ", ")
	}
	return all
}

func (c Case) judgeAdvert(a Advert) Finding {
	f := Finding{Level: Fine, Saw: a.String()}
	peer, fromPeer := c.peerAt(a.Source)
	if fromPeer {
		f.Node = peer.Name
	}
	ours := slices.ContainsFunc(a.Addresses, func(ip netip.Addr) bool { _, is := c.vipAt(ip); return is })
	switch {
	case ours:
		f.Level = Fault
		f.Why = fmt.Sprintf("%s says that it has a VIP of kshalb's: two hosts answer for it", a.Source)
		f.Mend = fmt.Sprintf("stop keepalived on %s (systemctl disable --now keepalived), or choose another VIP", a.Source)
	case fromPeer:
		f.Level = Warning
		f.Why = "a master of this cluster still floats addresses by other means"
		f.Mend = fmt.Sprintf("stop keepalived or ucarp on %s, if it is what kshalb replaces", peer.Name)
	default:
		f.Saw += ": no node and no VIP of this cluster"
	}
	return f
}
