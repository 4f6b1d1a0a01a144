package kubevip

import (
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// group is variables that have the same to be said of.
type group struct {
	level  plan.Level
	under  []string // switches; without one that is on the variables did nothing
	names  []string // a * at the end is whatever follows
	why    string
	within string // what it is about
}

// groups are in the order of their notes. A variable belongs to the first that
// has it.
var groups = []group{
	{
		level: plan.Lost, within: "BGP", under: []string{"bgp_enable", "zebra_enable"},
		names: []string{"bgp_*", "mpbgp_*", "zebra_*"},
		why:   "kshalb announces the VIP by ARP and NDP alone: the masters have to be in one network, without routers between them",
	}, {
		level: plan.Lost, within: "routes", under: []string{"vip_routingtable"},
		names: []string{"vip_routingtable*", "vip_routingprotocol", "vip_cleanroutingtable"},
		why:   "kshalb announces the VIP by ARP and NDP and writes no routes: the masters have to be in one network",
	}, {
		level: plan.Lost, within: "WireGuard", under: []string{"vip_wireguard"},
		names: []string{"vip_wireguard"},
		why:   "kshalb announces the VIP by ARP and NDP alone, which WireGuard does not carry",
	}, {
		level: plan.Lost, within: "Equinix Metal", under: []string{"vip_packet"},
		names: []string{"vip_packet*", "PACKET_AUTH_TOKEN"},
		why:   "kshalb calls no provider's API; the VIP has to be one of the masters' own network",
	}, {
		level: plan.Lost, within: "Services", under: []string{"svc_enable"},
		names: []string{
			"svc_*", "lb_class_*", "vip_servicesinterface", "enable_service_security", "egress_*", "EGRESS_CLEAN", "disable_service_updates",
			"enable_endpoints", "mirror_dest_interface", "iptables_backend", "enable_upnp", "vip_configmap", "annotation",
		},
		why: "kshalb serves no Services of type LoadBalancer: keep a kube-vip for them with cp_enable \"false\" and without address, or use MetalLB or OpenELB",
	}, {
		level: plan.Lost, within: "labels", under: []string{"enable_node_labeling"},
		names: []string{"enable_node_labeling"},
		why:   "kshalb has no access to the API and labels no nodes; `kshalb status` and the metric kshalb_election_holder tell who holds the VIP",
	}, {
		level: plan.Changed, within: "the election",
		names: []string{
			"vip_leaderelection", "vip_leasename", "vip_leaseduration", "vip_renewdeadline", "vip_retryperiod", "vip_leaseannotations", "cp_namespace",
			"vip_startleader", "vip_singlenode", "vip_nodename", "vip_preserve_on_leadership_loss", "leader_election_type", "etcd_*", "vip_addpeerstolb",
		},
		why: "kshalb's peers elect among themselves, without the API server and etcd: times that suit those would only make it slow, and its own (election.lease) hold",
	}, {
		level: plan.Changed, within: "metrics",
		names: []string{"prometheus_server", "health_check_port"},
		why:   "kshalb has its own at admin.http, 127.0.0.1:9446: /metrics, /healthz, /readyz; change the scraping to that",
	}, {
		level: plan.Needless, within: "access to the API",
		names: []string{"k8s_config_file", "kubernetes_addr", "cp_detect", "dns_mode"},
		why:   "kshalb needs none",
	}, {
		level: plan.Needless, within: "the rest",
		names: []string{"vip_loglevel", "vip_interfaceloglobal", "lb_type", "lb_name", "lb_bindtovip"},
		why:   "it has no counterpart, and needs none; log.level is kshalb's own",
	},
}

// grouped notes the variables of all groups, and those that are in none. read are
// those that are done with.
func (r *reader) grouped(i *instance, read []string) {
	left := slices.DeleteFunc(slices.Clone(i.names), func(n string) bool { return slices.Contains(read, n) })
	for _, g := range groups {
		var names []string
		for _, n := range left {
			if g.has(n) {
				names = append(names, n)
			}
		}
		left = slices.DeleteFunc(left, g.has)
		if names == nil {
			continue
		}
		level, why := g.level, g.why
		if g.under != nil && !slices.ContainsFunc(g.under, i.on) {
			level, why = plan.Needless, "it is off"
		}
		r.p.Note(level, i.set[names[0]].at, g.within+": "+yamlnode.Words(names), why)
	}
	pairs := make([]yamlnode.Pair, len(left))
	for n, name := range left {
		pairs[n] = yamlnode.Pair{Key: name, At: i.set[name].at}
	}
	yamlnode.Unknown(&r.p, plan.Lost, pairs, known(), "variable ", "kube-vip's variables that are known here have none of that name; see its manual whether it did something")
}

func (g group) has(name string) bool {
	return slices.ContainsFunc(g.names, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return any && strings.HasPrefix(name, prefix) || name == pattern
	})
}

// known are all variables by name.
func known() []string {
	names := slices.Clone(valued)
	for _, v := range flags {
		names = append(names, v)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
