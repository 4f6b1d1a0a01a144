package keepalived

import (
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// host is what one node reads.
type host struct {
	at    plan.Source
	notes *notebook
	id    string             // by conditions, or the name of this host
	name  plan.Value[string] // router_id

	version   int
	adverts   int
	iface     plan.Value[string] // of addresses that name none
	refresh   plan.Value[time.Duration]
	idle, fin plan.Value[time.Duration]
	tls       tlsFiles

	instances []*instance
	scripts   map[string]*script // by kind and name, as in "track_script x"
	groups    map[string]*node   // virtual_server_group
	servers   []*server
	listeners int
}

// tlsFiles are the files of the block SSL.
type tlsFiles struct {
	ca, certificate, key plan.Value[string]
}

// readers take blocks of the top level. Those of first are what the others name.
type readers map[string]func(*host, *node)

var first = readers{
	"global_defs": (*host).global, "vrrp_script": (*host).script, "vrrp_track_process": (*host).process,
	"track_file": (*host).file, "vrrp_track_file": (*host).file, "virtual_server_group": (*host).serverGroup, "SSL": (*host).ssl,
}

var second = readers{
	"vrrp_instance": (*host).instance, "vrrp_sync_group": (*host).syncGroup, "virtual_server": (*host).virtualServer,
}

var topRules = rules{}.
	with(plan.Lost, "static_ipaddress static_routes static_rules static_addresses", "keepalived set them on the node for as long as it ran;"+
		" kshalb sets no address but its VIPs and no routes, so have the node's own network configuration set them").
	with(plan.Lost, "bfd_instance", "kshalb speaks no BFD; it finds out by itself when a peer or a backend is gone").
	with(plan.Lost, "net_namespace net_namespace_ipvs", "kshalb works in the network namespace that it is started in; start it there").
	with(plan.Needless, "track_group", "it belongs to static addresses, routes and rules, which are not carried over").
	with(plan.Needless, "garp_group", whyGARP).
	with(plan.Changed, "interface_up_down_delays", "kshalb lets go of an address at once when its interface loses carrier").
	with(plan.Needless, "linkbeat_use_polling linkbeat_interfaces", "kshalb hears of carrier from the kernel").
	with(plan.Needless, "instance use_pid_dir child_wait_time namespace_with_ipsets", whyDaemon)

// newHost reads the tree of one node.
func newHost(root *node, at plan.Source, id string, notes *notebook) *host {
	h := &host{at: at, id: id, notes: notes, version: 2, adverts: 3, scripts: map[string]*script{}, groups: map[string]*node{}}
	h.each(root, first)
	for _, n := range root.kids {
		if read, ok := second[n.key]; ok {
			notes.braces(n)
			read(h, n)
			continue
		}
		if _, ok := first[n.key]; !ok {
			notes.other(n, "the file", topRules)
		}
	}
	h.unused()
	h.tlsless()
	return h
}

func (h *host) each(root *node, r readers) {
	for _, n := range root.kids {
		if read, ok := r[n.key]; ok {
			h.notes.braces(n)
			read(h, n)
		}
	}
}

// tlsless tells of files for TLS where no check uses any.
func (h *host) tlsless() {
	if h.tls == (tlsFiles{}) || slices.ContainsFunc(h.servers, func(s *server) bool {
		return slices.ContainsFunc(s.listeners, func(l plan.Listener) bool { return l.Check.Type.V == "https" })
	}) {
		return
	}
	for _, v := range []plan.Value[string]{h.tls.ca, h.tls.certificate, h.tls.key} {
		if v.Given() {
			h.notes.add(plan.Needless, v.From, "SSL", "no check that was carried over uses TLS")
		}
	}
}
