package keepalived

import (
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// instance is a vrrp_instance of one host.
type instance struct {
	host      *host
	name      string
	at        plan.Source
	master    bool
	stated    bool // it has a state
	iface     plan.Value[string]
	vrid      plan.Value[int]
	priority  plan.Value[int]
	advert    plan.Value[time.Duration]
	adverts   int
	version   int
	nopreempt plan.Value[bool]
	refresh   plan.Value[time.Duration]
	source    plan.Value[netip.Addr]
	peers     []plan.Value[netip.Addr] // unicast_peer
	addresses []*floating
	weights   int // by how much scripts can move the priority
}

var instanceRules = rules{}.
	with(plan.Lost, "notify notify_master notify_backup notify_fault notify_stop notify_deleted notify_master_rx_lower_pri", whyScripts).
	with(plan.Lost, "smtp_alert", whyMail).
	with(plan.Lost, "virtual_routes virtual_rules", whyRoutes).
	with(plan.Lost, "track_bfd", "kshalb speaks no BFD").
	with(plan.Changed, "use_vmac use_vmac_addr vmac_xmit_base use_ipvlan", "the address had a MAC of its own that moved with it; kshalb has it on the interface itself and"+
		" tells the neighbours of each move. Delete a macvlan or ipvlan that is left behind").
	with(plan.Changed, "dont_track_primary", "kshalb gives the address away when its interface loses carrier, always").
	with(plan.Changed, "no_accept strict_mode", "kshalb accepts connections to the ports of its listeners, always").
	with(plan.Needless, "accept", "kshalb accepts connections to the ports of its listeners, always").
	with(plan.Needless, "preempt notify_priority_changes kernel_rx_buf_size debug promote_secondaries", whyDaemon).
	with(plan.Changed, "preempt_delay", "a kshalb of higher priority takes over, with preempt: true, once it has had a ready backend for 10s").
	with(plan.Needless, "garp_master_delay garp_master_repeat garp_lower_prio_delay garp_lower_prio_repeat garp_master_refresh_repeat garp_extra_if", whyGARP).
	with(plan.Needless, "native_ipv6 old_unicast_checksum check_unicast_src unicast_fault_no_peer unicast_ttl mcast_dst_ip track_src_ip track_srcip"+
		" lower_prio_no_advert higher_prio_send_advert skip_check_adv_addr", whyVRRP).
	with(plan.Needless, "linkbeat_use_polling", "kshalb hears of carrier from the kernel").
	with(plan.Lost, "vrf", "kshalb knows no VRFs; start it in the VRF with ip vrf exec").
	with(plan.Lost, "lvs_sync_daemon_interface lvs_sync_daemon_inteface", "kshalb does not copy connections to other nodes")

// members take what stands in a vrrp_instance.
var members = map[string]func(*instance, *node){
	"state": (*instance).state, "interface": (*instance).on, "virtual_router_id": (*instance).router, "priority": (*instance).ranks,
	"advert_int": (*instance).advertises, "down_timer_adverts": (*instance).downTimer, "version": (*instance).speaks,
	"nopreempt": (*instance).stays, "garp_master_refresh": (*instance).refreshes, "authentication": (*instance).authenticates,
	"unicast_src_ip": (*instance).from, "mcast_src_ip": (*instance).from, "unicast_peer": (*instance).unicast,
	"virtual_ipaddress": (*instance).floats, "virtual_ipaddress_excluded": (*instance).floats,
	"track_interface": (*instance).watches, "track_script": (*instance).tracks, "track_process": (*instance).tracks, "track_file": (*instance).tracks,
}

// instance reads vrrp_instance. The interface comes first, for others refer to it.
func (h *host) instance(b *node) {
	i := &instance{host: h, name: b.arg(0), at: b.at, version: h.version, adverts: h.adverts, iface: h.iface, refresh: h.refresh}
	if i.name == "" || gap(i.name) {
		h.notes.bad(b.at, b.key, i.name, "the instance's name")
	}
	for _, n := range b.kids {
		if n.key == "interface" {
			i.on(n)
		}
	}
	for _, n := range b.kids {
		if take, ok := members[n.key]; !ok {
			h.notes.other(n, b.key, instanceRules)
		} else if n.key != "interface" {
			take(i, n)
		}
	}
	i.complete()
	h.instances = append(h.instances, i)
}

// complete looks at the whole.
func (i *instance) complete() {
	notes := i.host.notes
	switch {
	case len(i.addresses) == 0:
		notes.add(plan.Fault, i.at, "vrrp_instance "+label(i.name), "it has no address that could be read, so there is nothing to carry over; look at its virtual_ipaddress")
	case len(i.addresses) > 1:
		notes.add(plan.Changed, i.at, "vrrp_instance "+label(i.name)+" with several addresses", "they move together; kshalb decides about each by itself, so they may be on different nodes")
	}
	if i.nopreempt.Given() && i.master {
		notes.add(plan.Fault, i.nopreempt.From, "nopreempt with state MASTER", "keepalived takes no notice of nopreempt then; to mean it write state BACKUP on every node")
		i.nopreempt = plan.Value[bool]{}
	}
	i.failover()
}

func (i *instance) state(n *node) {
	i.stated, i.master = true, n.arg(0) == "MASTER"
	if s := n.arg(0); s != "MASTER" && s != "BACKUP" {
		i.host.notes.bad(n.at, n.key, s, "MASTER or BACKUP (keepalived takes anything else for BACKUP)")
		i.stated = false
	}
	i.host.notes.add(plan.Needless, n.at, n.key, "no kshalb begins as holder; of the nodes that can serve, the one with the highest priority is preferred")
}

func (i *instance) on(n *node) {
	if v := i.host.interfaceOf(n); v.Given() {
		i.iface = v
	}
}
