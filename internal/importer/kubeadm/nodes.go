package kubeadm

import (
	"fmt"
	"net/netip"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

// placeholder is the address that `kubeadm config print init-defaults` writes.
var placeholder = netip.AddrFrom4([4]byte{1, 2, 3, 4})

var (
	initKeys = []string{"nodeRegistration", "bootstrapTokens", "certificateKey", "skipPhases", "patches", "dryRun", "timeouts"}
	joinKeys = []string{"nodeRegistration", "discovery", "caCertPath", "patches", "skipPhases", "dryRun", "timeouts"}
)

// maxMasters is how many masters become peers; kshalb itself takes fewer.
const maxMasters = 100

const notRead = "what kubeadm does on that node; only its name and the endpoint were read, no tokens and no keys"

// readNode reads an InitConfiguration or a JoinConfiguration: the master that it
// is for, if any.
func (r *reader) readNode(d yamlnode.Node) {
	m := yamlnode.Open(d)
	m.Doubles(&r.p)
	m.Take("apiVersion")
	kind := m.Take("kind").Text()
	name := m.Take("nodeRegistration").Get("name")
	if kind == "InitConfiguration" {
		if r.master(m.Take("localAPIEndpoint"), name, kind) {
			r.first = name.Text()
		}
		r.needless(m, kind, notRead, initKeys)
		r.unknown(m, kind, append([]string{"localAPIEndpoint"}, initKeys...))
		return
	}
	if at := m.Take("discovery").Get("bootstrapToken", "apiServerEndpoint"); at.Given() && !r.joinsAt.Given() {
		r.joinsAt = at
	}
	control := yamlnode.Open(m.Take("controlPlane"))
	if control.Given() {
		r.master(control.Take("localAPIEndpoint"), name, kind)
		r.needless(control, kind+": controlPlane", "it was not read, as a key", []string{"certificateKey"})
		r.unknown(control, kind+": controlPlane", []string{"localAPIEndpoint", "certificateKey"})
	} else {
		r.p.Note(plan.Needless, d.At(), "JoinConfiguration without controlPlane", "it is of a worker; kshalb runs on the masters")
	}
	r.needless(m, kind, notRead, joinKeys)
	r.unknown(m, kind, append([]string{"controlPlane"}, joinKeys...))
}

// master makes a peer of a localAPIEndpoint.
func (r *reader) master(n, name yamlnode.Node, kind string) bool {
	m := yamlnode.Open(n)
	m.Doubles(&r.p)
	address, port := m.Take("advertiseAddress"), m.Take("bindPort")
	r.unknown(m, kind+": localAPIEndpoint", []string{"advertiseAddress", "bindPort"})
	r.bindPort(port)
	addr, ok := yamlnode.Addr(address.Text())
	what := "advertiseAddress " + yamlnode.Shown(address)
	switch {
	case address.Text() == "":
		return false
	case !ok || !yamlnode.Floats(addr):
		r.p.Note(plan.Fault, address.At(), what, "is no IP address that other masters reach; tell this master with --masters")
		return false
	case addr == placeholder:
		r.p.Note(plan.Fault, address.At(), what, "is what `kubeadm config print` writes for somebody to change; tell this master with --masters")
		return false
	}
	return r.peer(plan.Of(addr, address.At()), name)
}

// peer adds a master, unless it is there already.
func (r *reader) peer(addr plan.Value[netip.Addr], name yamlnode.Node) bool {
	for _, p := range r.p.Peers {
		if p.Address.V == addr.V {
			return true
		}
	}
	if len(r.p.Peers) >= maxMasters {
		return false
	}
	peer := plan.Peer{Address: addr}
	if yamlnode.IsName(name.Text()) {
		peer.Name = plan.Of(name.Text(), name.At())
	} else if name.Text() != "" {
		r.p.Note(plan.Changed, name.At(), "name "+yamlnode.Shown(name), "kshalb does not take it for a peer, so it gets another one")
	}
	r.p.Peers = append(r.p.Peers, peer)
	return true
}

// bindPort is where the API servers listen; all of them, as peers have one port.
func (r *reader) bindPort(n yamlnode.Node) {
	port, ok := yamlnode.Port(n)
	switch given := &r.end.bindPort; {
	case !n.Given():
	case !ok:
		r.p.Note(plan.Fault, n.At(), "bindPort "+yamlnode.Shown(n), "is no port from 1 to 65535")
	case !given.Given():
		*given = plan.Because(port, n.At(), "bindPort of the API servers")
	case given.V != port:
		r.p.Note(plan.Fault, n.At(), fmt.Sprintf("bindPort %d", port), fmt.Sprintf("another API server has %d (%s), which was taken for all; write backends.addresses with a port each", given.V, given.From))
	}
}

// readStatus reads the masters of a ClusterStatus.
func (r *reader) readStatus() {
	for _, pair := range r.status.Get("apiEndpoints").Pairs() {
		r.master(pair.Value, yamlnode.Text(pair.Key, pair.At), "ClusterStatus")
	}
	if r.status.Given() {
		kube.Masters(&r.p, r.status.At(), "ClusterStatus", len(r.p.Peers))
	}
}
