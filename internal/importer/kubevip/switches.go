package kubevip

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// valued are the variables that values are made of.
var valued = []string{
	"address", "vip_address", "vip_interface", "port", "lb_enable", "lb_port", "lb_backendport", "lb_backends", "lb_fwdmethod", "vip_arp", "vip_arpRate",
	"vip_subnet", "vip_cidr", "vip_ddns", "cp_enable", "backend_health_check_interval", "vip_localpeer", "vip_peers", "vip_remotepeers", "config_file",
}

// serves reports whether the control plane is served at all.
func (r *reader) serves(i *instance) bool {
	cp, given := i.set["cp_enable"]
	switch {
	case i.on("cp_enable") || !given && i.mode == "start":
		return true
	case !given:
		r.p.Note(plan.Fault, i.at, "no cp_enable", "kube-vip serves no control plane without it; the rest was read as if it were \"true\"")
		return true
	default:
		r.p.Note(plan.Fault, cp.at, "cp_enable is not true", "this kube-vip serves no control plane, and nothing of it was taken over; it can stay beside kshalb for Services")
		return false
	}
}

// booleans are the switches that something follows from here.
var booleans = []string{"cp_enable", "svc_enable", "lb_enable", "vip_arp", "vip_ddns", "bgp_enable", "vip_routingtable", "vip_wireguard", "enable_node_labeling"}

// switches notes how addresses are announced and got.
func (r *reader) switches(i *instance) {
	for _, name := range booleans {
		s, given := i.set[name]
		if _, ok := yamlnode.Bool(s.Node); given && !ok {
			r.p.Note(plan.Fault, s.at, name+" "+yamlnode.Shown(s.Node), "is neither true nor false, which kube-vip stops at; it was taken as false")
		}
	}
	arp, given := i.set["vip_arp"]
	switch {
	case i.on("vip_arp"):
		r.p.Note(plan.Needless, arp.at, "vip_arp", "kshalb always announces the VIP by ARP and NDP")
	case given:
		r.p.Note(plan.Changed, arp.at, "vip_arp is not true", "kshalb announces the VIP by ARP and NDP whatever kube-vip did: the masters have to be in one network, without routers between them")
	}
	if ddns, given := i.set["vip_ddns"]; given && i.on("vip_ddns") {
		r.p.Note(plan.Fault, ddns.at, "vip_ddns", "the address comes from DHCP; kshalb's is fixed, so reserve one outside of DHCP's range and "+tellVIP)
	} else if given {
		r.p.Note(plan.Needless, ddns.at, "vip_ddns", "it is off")
	}
	for _, name := range []string{"vip_subnet", "vip_cidr"} {
		if s, given := i.set[name]; given {
			r.subnet(name, s)
		}
	}
}

func (r *reader) subnet(name string, s setting) {
	for part := range strings.SplitSeq(s.Text(), ",") {
		if p := strings.TrimPrefix(strings.TrimSpace(part), "/"); p != "32" && p != "128" {
			r.p.Note(plan.Changed, s.at, name+" "+yamlnode.Shown(s.Node), "kshalb always adds the address alone, /32 or /128, so that no route comes and goes with it")
			return
		}
	}
	r.p.Note(plan.Needless, s.at, name, "kshalb always adds the address alone, /32 or /128")
}
