package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// judgeNames holds what names mean on each node against the VIPs, and the nodes
// against each other.
func judgeNames(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		n := c.Views[node].Names
		if n == nil {
			continue
		}
		var found []Finding
		for _, name := range n.Names {
			found = append(found, c.judgeName(node, name))
		}
		for _, s := range n.Servers {
			found = append(found, c.judgeServer(s)...)
		}
		all = append(all, orFine(found, node, "no file of this host has a name for the control plane (kshalb doctor --domain NAME asks for one)")...)
	}
	return append(all, c.judgeAgreement()...)
}

// judgeName says what one name means on a node.
func (c Case) judgeName(node string, n Name) Finding {
	f := Finding{Saw: fmt.Sprintf("%s is %s by %s", n.Name, addressList(n.Addresses), n.By)}
	wrong := slices.DeleteFunc(slices.Clone(n.Addresses), c.isServed)
	switch {
	case len(n.Addresses) == 0:
		f.Level = Fault
		f.Saw = fmt.Sprintf("%s (%s) has no address: %s", n.Name, strings.Join(n.From, ", "), n.Error)
		f.Why = "whoever uses the name on this host does not reach the control plane"
		f.Mend = c.mendName(n.Name)
	case len(wrong) == 0:
		f.Level = Fine
		return f
	case len(wrong) < len(n.Addresses):
		f.Level = Fault
		f.Why = fmt.Sprintf("a client that takes %s does not go through kshalb, and fails when that is gone", addressList(wrong))
		f.Mend = fmt.Sprintf("let the name have no other address than the VIP's (%s)", c.mendName(n.Name))
	default:
		f.Level = Fault
		if wrong[0].IsLoopback() {
			f.Level = Warning // a balancer of that host's own, say
		}
		f.Why = c.whyWrong(wrong[0])
		f.Mend = c.mendName(n.Name)
	}
	if c.Views[node].Contained {
		f.Level, f.Mend = Unseen, ""
		f.Why = "that is how it is in kshalb's container, which may have been given its hosts file before that of the host was changed;" +
			" run kshalb doctor on that host"
	}
	return f
}

// isServed reports whether clients of an address are kshalb's: a VIP, or what a
// listener is bound to.
func (c Case) isServed(a netip.Addr) bool {
	if _, ok := c.vipAt(a); ok {
		return true
	}
	return slices.ContainsFunc(c.Config.Listeners, func(l config.Listener) bool {
		bound := l.Address.Addr()
		return l.VIP == "" && (bound == a || a.IsLoopback() && bound.IsUnspecified())
	})
}

func (c Case) whyWrong(a netip.Addr) string {
	if p, ok := c.peerAt(a); ok {
		return fmt.Sprintf("that is %s's own address: clients of the name lose the control plane with that node", p.Name)
	}
	if a.IsLoopback() {
		return "clients of the name stay on this host, where no listener of kshalb has that address"
	}
	return "that is no VIP of this cluster"
}

func (c Case) mendName(name string) string {
	if len(c.Config.VIPs) == 0 {
		return ""
	}
	return fmt.Sprintf("write %q to %s on each node, or the same to the DNS", c.Config.VIPs[0].Address.String()+" "+name, hostsFile)
}

// judgeServer is about a file that names an address, and about its port.
func (c Case) judgeServer(s Server) []Finding {
	a, err := netip.ParseAddr(s.Host)
	f := Finding{Level: Warning, Saw: fmt.Sprintf("%s goes to %s, port %d", s.File, s.Host, s.Port)}
	if err != nil {
		if vip := c.namedVIP(s.Host); vip.Name != "" && !c.listens(vip, s.Port) && !s.joins() {
			return []Finding{c.portless(f, vip)}
		}
		return nil // the name is judged by itself
	}
	vip, isVIP := c.vipAt(a)
	switch p, isPeer := c.peerAt(a); {
	case isVIP && !c.listens(vip, s.Port) && !s.joins():
		return []Finding{c.portless(f, vip)}
	case isVIP, c.isServed(a), a.IsLoopback():
		f.Level = Fine
	case isPeer && strings.HasSuffix(s.File, "/kubelet.conf"):
		f.Level = Fine // since Kubernetes 1.31 kubeadm lets a master's kubelet use its own API server
		f.Saw += fmt.Sprintf(": %s itself, as kubeadm has it for masters since Kubernetes 1.31", p.Name)
	case isPeer:
		f.Why = fmt.Sprintf("whoever uses the file loses the control plane with %s", p.Name)
		f.Mend = fmt.Sprintf("write a VIP for that address in %s", s.File)
	default:
		f.Why = "that is no VIP of this cluster: whoever uses the file does not go through kshalb"
		f.Mend = fmt.Sprintf("write a VIP for that address in %s, unless another balancer is meant", s.File)
	}
	return []Finding{f}
}

// joins reports whether the file says only where nodes of RKE2 or k3s join, which
// may be another port than that of the API server.
func (s Server) joins() bool { return strings.HasPrefix(s.File, "/etc/rancher/") }

// namedVIP is what a name means on all nodes that know it; none if they differ.
func (c Case) namedVIP(name string) (found config.VIP) {
	for _, node := range c.Nodes() {
		for _, a := range c.addressesOf(node, name) {
			vip, ok := c.vipAt(a)
			if !ok || found.Name != "" && vip.Name != found.Name {
				return config.VIP{}
			}
			found = vip
		}
	}
	return found
}

func (c Case) addressesOf(node, name string) []netip.Addr {
	if n := c.Views[node].Names; n != nil {
		for _, known := range n.Names {
			if known.Name == name {
				return known.Addresses
			}
		}
	}
	return nil
}

func (c Case) listens(vip config.VIP, port uint16) bool {
	return slices.ContainsFunc(c.Config.Listeners, func(l config.Listener) bool {
		return l.VIP == vip.Name && (l.Address.Port() == port || l.Bind.Port() == port)
	})
}

func (c Case) portless(f Finding, vip config.VIP) Finding {
	f.Why = fmt.Sprintf("no listener of VIP %s has that port: clients reach what is on that port of the node that holds it, if anything", vip.Name)
	f.Mend = fmt.Sprintf("write a listener with vip: %s and port: the one that clients use, or correct the file", vip.Name)
	return f
}

// judgeAgreement looks for a name that means different VIPs on different nodes.
func (c Case) judgeAgreement() (all []Finding) {
	type meaning struct{ name, addresses string }
	nodes := make(map[meaning][]string)
	meanings := make(map[string][]meaning)
	for _, node := range c.Nodes() {
		n := c.Views[node].Names
		if n == nil {
			continue
		}
		for _, name := range n.Names {
			if len(name.Addresses) == 0 || slices.ContainsFunc(name.Addresses, func(a netip.Addr) bool { _, ok := c.vipAt(a); return !ok }) {
				continue // told of already, or every node's own
			}
			m := meaning{name.Name, addressList(name.Addresses)}
			if nodes[m] == nil {
				meanings[name.Name] = append(meanings[name.Name], m)
			}
			nodes[m] = append(nodes[m], node)
		}
	}
	for _, name := range sortedKeys(meanings) {
		if len(meanings[name]) < 2 {
			continue
		}
		var words []string
		for _, m := range meanings[name] {
			words = append(words, fmt.Sprintf("%s on %s", m.addresses, strings.Join(nodes[m], ", ")))
		}
		all = append(all, Finding{Level: Warning,
			Saw:  fmt.Sprintf("%s is %s", name, strings.Join(words, "; ")),
			Why:  "nodes that mean different addresses by the name fail at different times",
			Mend: fmt.Sprintf("write the same line for it to %s on each node", hostsFile)})
	}
	return all
}

// addressList is how addresses are told.
func addressList(all []netip.Addr) string {
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
