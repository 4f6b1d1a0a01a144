package keepalived

import (
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The range of vips[].refresh.
const (
	minRefresh = time.Second
	maxRefresh = 10 * time.Minute
)

var globalRules = rules{}.
	with(plan.Lost, "notification_email notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp"+
		" smtp_alert_checker no_email_faults no_checker_emails", whyMail).
	with(plan.Lost, "startup_script shutdown_script notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script"+
		" lvs_notify_fifo lvs_notify_fifo_script", whyScripts).
	with(plan.Needless, "startup_script_timeout shutdown_script_timeout enable_script_security script_security script_user"+
		" fifo_write_vrrp_states_on_reload vrrp_notify_priority_changes rs_init_notifies", "kshalb runs no scripts but its own hooks, as root").
	with(plan.Lost, "snmp_socket enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3"+
		" enable_traps enable_dbus dbus_service_name", "kshalb has no SNMP and no D-Bus; ask /metrics or kshalb status").
	with(plan.Lost, "lvs_sync_daemon lvs_sync_daemon_interface", "kshalb does not copy connections to other nodes; when the address moves, connections"+
		" through it are reset at once and clients connect anew").
	with(plan.Needless, "lvs_flush lvs_flush_on_stop nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark", whyKernel).
	with(plan.Needless, "nftables nftables_priority nftables_counters nftables_ifindex vrrp_iptables vrrp_ipsets iptables",
		"kshalb has an nftables table of its own, which it makes and removes").
	with(plan.Needless, "vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat"+
		" vrrp_garp_master_refresh_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp vrrp_garp_extra_if", whyGARP).
	with(plan.Needless, "vrrp_mcast_group4 vrrp_mcast_group6 vrrp_skip_check_adv_addr vrrp_check_unicast_src vrrp_lower_prio_no_advert"+
		" vrrp_higher_prio_send_advert vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier log_unknown_vrids disable_local_igmp vmac_prefix vmac_addr_prefix"+
		" vrrp_startup_delay vrrp_strict_mode", whyVRRP).
	with(plan.Changed, "vrrp_strict", "with it keepalived drops connections to the address, unless accept stands in the instance;"+
		" kshalb accepts those to the ports of its listeners, always").
	with(plan.Needless, "dynamic_interfaces linkbeat_use_polling", "kshalb follows interfaces as they come and go").
	with(plan.Needless, "tmp_config_directory config_save_dir process_names process_name vrrp_process_name checker_process_name bfd_process_name"+
		" checker_log_all_failures max_auto_priority min_auto_priority_delay vrrp_priority checker_priority bfd_priority vrrp_no_swap checker_no_swap"+
		" bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity vrrp_rt_priority checker_rt_priority bfd_rt_priority vrrp_rlimit_rttime"+
		" checker_rlimit_rttime bfd_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rtime bfd_rlimit_rtime vrrp_netlink_cmd_rcv_bufs"+
		" vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs"+
		" lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs"+
		" process_monitor_rcv_bufs_force umask random_seed reload_check_config include_check reload_time_file reload_repeat reload_file"+
		" data_use_instance use_symlink_paths use_pid_dir instance child_wait_time default_include_check json_version linkbeat_interfaces", whyDaemon).
	with(plan.Lost, "net_namespace net_namespace_ipvs", "kshalb works in the network namespace that it is started in; start it there")

// global reads global_defs.
func (h *host) global(b *node) {
	for _, n := range b.kids {
		switch n.key {
		case "router_id", "lvs_id":
			h.routerID(n)
		case "vrrp_version":
			h.notes.add(plan.Needless, n.at, n.key, whyVRRP)
			h.version = h.versionOf(n, h.version)
		case "vrrp_down_timer_adverts":
			h.adverts = h.advertsOf(n, h.adverts)
		case "vrrp_garp_master_refresh":
			h.refresh = h.refreshOf(n)
		case "default_interface":
			h.iface = h.interfaceOf(n)
		case "lvs_timeouts":
			h.lvsTimeouts(n)
		default:
			h.notes.other(n, b.key, globalRules)
		}
	}
}

// routerID is a node's name, as far as it can be one.
func (h *host) routerID(n *node) {
	if !isName(n.arg(0)) {
		h.notes.bad(n.at, n.key, n.arg(0), "the node's name: up to 63 letters, digits, ., _ or -")
		return
	}
	h.name = plan.Of(n.arg(0), n.at)
}

func (h *host) versionOf(n *node, otherwise int) int {
	v, ok := number(n.arg(0), 2, 3)
	if !ok {
		h.notes.bad(n.at, n.key, n.arg(0), "2 or 3")
		return otherwise
	}
	return v
}

func (h *host) advertsOf(n *node, otherwise int) int {
	v, ok := number(n.arg(0), 1, 100)
	if !ok {
		h.notes.bad(n.at, n.key, n.arg(0), "a number from 1 to 100")
		return otherwise
	}
	h.notes.add(plan.Needless, n.at, n.key, whyVRRP)
	return v
}

// refreshOf is how often the address is announced again; 0 is never.
func (h *host) refreshOf(n *node) plan.Value[time.Duration] {
	d, ok := seconds(n.arg(0))
	if !ok {
		h.notes.bad(n.at, n.key, n.arg(0), "a number of seconds")
		return plan.Value[time.Duration]{}
	}
	if d == 0 {
		h.notes.add(plan.Changed, n.at, n.key+" 0", "keepalived announces the address no more after it has taken it; kshalb does so every 30s,"+
			" for switches that forget")
		return plan.Value[time.Duration]{}
	}
	d, why := clip(d, minRefresh, maxRefresh)
	return plan.Because(d, n.at, why)
}

// interfaceOf is the name of an interface.
func (h *host) interfaceOf(n *node) plan.Value[string] {
	if !isInterface(n.arg(0)) {
		h.notes.bad(n.at, n.key, n.arg(0), "the name of an interface")
		return plan.Value[string]{}
	}
	return plan.Of(n.arg(0), n.at)
}

// lvsTimeouts are those of the kernel's connections.
func (h *host) lvsTimeouts(n *node) {
	for i := 0; i+1 < len(n.args); i += 2 {
		d, ok := seconds(n.args[i+1])
		switch {
		case !ok:
			h.notes.bad(n.at, n.key, n.args[i+1], "tcp, tcpfin or udp and a number of seconds")
		case n.args[i] == "tcp":
			h.idle = plan.Because(d, n.at, "lvs_timeouts tcp")
		case n.args[i] == "tcpfin":
			h.fin = plan.Because(d, n.at, "lvs_timeouts tcpfin")
		default:
			h.notes.add(plan.Lost, n.at, n.key+" udp", whyUDP)
		}
	}
}

// ssl reads the files of the client certificate of SSL_GET.
func (h *host) ssl(b *node) {
	for _, n := range b.kids {
		v := plan.Of(n.arg(0), n.at)
		usable := strings.HasPrefix(v.V, "/") && label(v.V) == v.V
		switch {
		case n.key == "password":
			h.notes.add(plan.Lost, n.at, n.key, "it is not read, and kshalb takes no key with a password; keep the key without one, for its owner only")
		case n.key != "ca" && n.key != "certificate" && n.key != "key":
			h.notes.add(plan.Fault, n.at, "a line in SSL", "keepalived has ca, certificate, key and password there; mend it")
		case !usable:
			h.notes.bad(n.at, n.key, "?", "the whole path of a file")
		case n.key == "ca":
			h.tls.ca = v
		case n.key == "certificate":
			h.tls.certificate = v
		case n.key == "key":
			h.tls.key = v
		}
	}
	if h.tls.certificate.Given() != h.tls.key.Given() {
		h.notes.add(plan.Fault, b.at, "SSL with one of certificate and key", "a client needs both, so neither was carried over; write both, or none")
	}
}
