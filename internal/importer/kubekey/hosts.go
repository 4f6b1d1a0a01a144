package kubekey

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// host is one of the file's.
type host struct {
	name   string
	at     plan.Source
	addr   plan.Value[netip.Addr] // the one that other nodes reach
	others []netip.Addr           // further ones of it
	login  netip.Addr             // the one that KubeKey logs in at, if it is none of these
	master bool
}

var hostKeys = []string{"name", "address", "internalAddress", "port", "user", "password", "privateKey", "privateKeyPath", "arch", "timeout", "labels", "id"}

// readHosts reads spec.hosts of a Cluster.
func (r *reader) readHosts(list yamlnode.Node) {
	if list.Given() && !list.IsList() {
		r.p.Note(plan.Fault, list.At(), "hosts", "is no list")
	}
	for _, item := range list.Items() {
		m := yamlnode.Open(item)
		m.Doubles(&r.p)
		name := m.Take("name")
		if name.Text() == "" {
			r.p.Note(plan.Fault, item.At(), "a host without a name", "KubeKey refuses it, and groups cannot name it")
			continue
		}
		h := r.addHost(name.Text(), item.At())
		r.address(h, m.Take("internalAddress"), m.Take("address"))
		for _, key := range []string{"port", "user", "password", "privateKey", "privateKeyPath", "timeout"} {
			r.logsIn(m, key)
		}
		for _, key := range []string{"arch", "labels", "id"} {
			m.Take(key)
		}
		r.unknown(m, "hosts: ", hostKeys)
	}
}

// addHost enters a host; a second one of the same name is kept apart.
func (r *reader) addHost(name string, at plan.Source) *host {
	h := &host{name: name, at: at}
	if first := r.hosts[name]; first != nil {
		r.p.Note(plan.Fault, at, "a second host "+yamlnode.Word(name), fmt.Sprintf("the one at %s was read; give each host a name of its own", first.at))
		return h
	}
	r.hosts[name] = h
	r.names = append(r.names, name)
	return h
}

// logsIn remembers a key of how KubeKey reaches a host; the value is not looked at.
func (r *reader) logsIn(m *yamlnode.Map, key string) {
	if n := m.Take(key); n.Given() {
		r.login = append(r.login, yamlnode.Pair{Key: key, At: n.At()})
	}
}

// address takes a host's: internalAddress ("IPv4" or "IPv4,IPv6"), or else the one
// that KubeKey logs in at.
func (r *reader) address(h *host, internal, login yamlnode.Node) {
	h.login, _ = yamlnode.Addr(login.Text())
	if r.takeAddress(h, internal, "") {
		return
	}
	why := "no internalAddress, so KubeKey takes address"
	if internal.Text() != "" {
		why = "address, as internalAddress is none"
	}
	r.takeAddress(h, login, why)
}

func (r *reader) takeAddress(h *host, n yamlnode.Node, why string) bool {
	if n.Text() == "" {
		return false
	}
	parts := strings.Split(n.Text(), ",")
	for _, part := range parts {
		addr, ok := yamlnode.Addr(part)
		switch {
		case !ok || !yamlnode.Floats(addr):
			r.p.Note(plan.Fault, n.At(), fmt.Sprintf("%s: address %s", yamlnode.Word(h.name), yamlnode.Shown(n)), "is no IP address that other nodes reach; kshalb's peers are known by one")
			return h.addr.Given()
		case !h.addr.Given():
			if len(parts) > 1 && why == "" {
				why = "the first of two"
			}
			h.addr = plan.Because(addr, n.At(), why)
		default:
			h.others = append(h.others, addr)
		}
	}
	return h.addr.Given()
}

// owner is the host that has an address.
func (r *reader) owner(addr netip.Addr) *host {
	for _, name := range r.names {
		h := r.hosts[name]
		if addr.IsValid() && (h.addr.V == addr || h.login == addr) {
			return h
		}
		if slices.Contains(h.others, addr) {
			return h
		}
	}
	return nil
}

// restOfHosts notes what of the hosts has no place in kshalb.
func (r *reader) restOfHosts() {
	if len(r.login) > 0 {
		keys := make([]string, len(r.login))
		for i, pair := range r.login {
			keys[i] = pair.Key
		}
		r.p.Note(plan.Needless, r.login[0].At, "hosts: "+yamlnode.Words(keys), "how KubeKey logs in; kshalb logs in nowhere, and none of it was read")
	}
	var workers []string
	var at plan.Source
	for _, name := range r.names {
		if h := r.hosts[name]; !h.master {
			if workers == nil {
				at = h.at
			}
			workers = append(workers, name)
		}
	}
	if workers != nil {
		r.p.Note(plan.Needless, at, "hosts that are no masters: "+yamlnode.Words(workers), "they reach the masters at the VIP; `kshalb manifest --role node` makes a balancer of their own on 127.0.0.1 for them, if that is wanted")
	}
}
