package keepalived

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

func (i *instance) router(n *node) {
	v, ok := number(n.arg(0), 1, 255)
	if !ok {
		i.host.notes.bad(n.at, n.key, n.arg(0), "a number from 1 to 255")
		return
	}
	i.vrid = plan.Of(v, n.at)
	i.host.notes.add(plan.Needless, n.at, n.key, "kshalb's clusters tell each other apart by cluster.name and the gossip key, not by a number on the network")
}

func (i *instance) ranks(n *node) {
	v, ok := number(n.arg(0), 1, 255)
	if !ok {
		i.host.notes.bad(n.at, n.key, n.arg(0), "a number from 1 to 255")
		return
	}
	i.priority = plan.Of(v, n.at)
}

func (i *instance) advertises(n *node) {
	d, ok := seconds(n.arg(0))
	if !ok || d == 0 {
		i.host.notes.bad(n.at, n.key, n.arg(0), "a number of seconds")
		return
	}
	i.advert = plan.Of(d, n.at)
}

func (i *instance) downTimer(n *node) { i.adverts = i.host.advertsOf(n, i.adverts) }

func (i *instance) speaks(n *node) {
	i.version = i.host.versionOf(n, i.version)
	i.host.notes.add(plan.Needless, n.at, n.key, whyVRRP)
}

func (i *instance) stays(n *node) { i.nopreempt = plan.Of(true, n.at) }

func (i *instance) refreshes(n *node) { i.refresh = i.host.refreshOf(n) }

// authenticates tells of a password without looking at it.
func (i *instance) authenticates(n *node) {
	i.host.notes.braces(n)
	i.host.notes.add(plan.Needless, n.at, n.key, "its password is not read, and travels in the clear anyway; kshalb encrypts what its peers say with the key in cluster.gossip.keyFile")
	for _, k := range n.kids {
		if k.key != "auth_type" && k.key != "auth_pass" {
			i.host.notes.add(plan.Fault, k.at, "a line in authentication", "keepalived has auth_type and auth_pass there; mend it")
		}
	}
}

func (i *instance) from(n *node) {
	a, ok := address(n.arg(0))
	if !ok || !usable(a) {
		i.host.notes.bad(n.at, n.key, n.arg(0), "an address of this node that its peers reach")
		return
	}
	if !i.source.Given() || n.key == "unicast_src_ip" {
		i.source = plan.Because(a, n.at, n.key)
	}
}

// unicast reads the addresses of the other nodes, one in a line, which may have
// options behind it.
func (i *instance) unicast(b *node) {
	i.host.notes.braces(b)
	for _, n := range b.kids {
		a, ok := address(n.key)
		if !ok || !usable(a) {
			i.host.notes.bad(n.at, b.key, n.key, "an address of another node, one in each line")
			continue
		}
		i.peers = append(i.peers, plan.Because(a, n.at, b.key))
		for j := 0; j < len(n.args); j += 2 {
			if w := n.args[j]; w == "min_ttl" || w == "max_ttl" {
				i.host.notes.add(plan.Needless, n.at, w, whyVRRP)
				continue
			}
			i.host.notes.add(plan.Fault, n.at, b.key, "keepalived reads one address in each line and takes no notice of what stands behind it; write each into a line of its own")
			break
		}
	}
}

// usable is an address that a peer can have.
func usable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.IsLoopback()
}

func (i *instance) floats(b *node) {
	i.host.notes.braces(b)
	for _, n := range b.kids {
		if f := i.host.floating(n, b.key); f != nil {
			f.excluded = b.key != "virtual_ipaddress"
			i.addresses = append(i.addresses, f)
		}
	}
}

func (i *instance) watches(n *node) {
	i.weights = min(i.weights+i.host.trackInterfaces(n, i.iface.V), 1000)
}

func (i *instance) tracks(n *node) { i.weights = min(i.weights+i.host.track(n), 1000) }

// failover says how long each of both takes when the holder is gone. keepalived's
// time is RFC 5798's: three adverts and a skew of up to a second, with VRRPv3 of up
// to an advert.
func (i *instance) failover() {
	advert, at := i.advert.V, i.advert.From
	if !i.advert.Given() {
		advert, at = time.Second, i.at
	}
	least := time.Duration(i.adverts) * advert
	skew := time.Second
	if i.version == 3 {
		skew = advert
	}
	i.host.notes.add(plan.Changed, at, fmt.Sprintf("advert_int %v", advert), fmt.Sprintf("with it the address of a node that is gone moves after %v to %v; with kshalb's own"+
		" timing, election: {lease: 500ms, renew: 100ms}, after half a second (2.8s on kernels without nf_tables), so nothing was carried over."+
		" On hosts that are slow to answer write {lease: 1s, renew: 200ms}", least, least+skew))
}
