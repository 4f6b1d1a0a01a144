package kubevip

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// flags are the variables that flags stand for.
var flags = map[string]string{
	"interface": "vip_interface", "serviceInterface": "vip_servicesinterface", "vip": "vip_address", "vipSubnet": "vip_subnet", "cidr": "vip_cidr",
	"nodeName": "vip_nodename", "address": "address", "port": "port", "arp": "vip_arp", "wireguard": "vip_wireguard", "table": "vip_routingtable",
	"enableLoadBalancer": "lb_enable", "lbPort": "lb_port", "lbForwardingMethod": "lb_fwdmethod", "ddns": "vip_ddns", "mirrorDestInterface": "mirror_dest_interface",
	"leaderElection": "vip_leaderelection", "leaderElectionType": "leader_election_type", "leaseName": "vip_leasename", "leaseDuration": "vip_leaseduration",
	"leaseRenewDuration": "vip_renewdeadline", "leaseRetry": "vip_retryperiod", "bgp": "bgp_enable", "bgpRouterID": "bgp_routerid", "sourceIF": "bgp_sourceif",
	"sourceIP": "bgp_sourceip", "localAS": "bgp_as", "bgpHoldTimer": "bgp_hold_time", "bgpKeepAliveInterval": "bgp_keepalive_interval", "peerAddress": "bgp_peeraddress",
	"peerAS": "bgp_peeras", "peerPass": "bgp_peerpass", "multihop": "bgp_multihop", "bgppeers": "bgp_peers", "annotations": "annotation", "zebra": "zebra_enable",
	"zebraUrl": "zebra_url", "zebraVersion": "zebra_version", "zebraSoftwareName": "zebra_software_name", "namespace": "cp_namespace", "n": "cp_namespace",
	"log": "vip_loglevel", "configMap": "vip_configmap", "c": "vip_configmap", "tableID": "vip_routingtableid", "tableType": "vip_routingtabletype",
	"routingProtocol": "vip_routingprotocol", "cleanRoutingTable": "vip_cleanroutingtable", "controlplane": "cp_enable", "autodetectcp": "cp_detect",
	"services": "svc_enable", "servicesElection": "svc_election", "lbClassOnly": "lb_class_only", "lbClassName": "lb_class_name",
	"lbClassNameLegacyHandling": "lb_class_legacy_handling", "onlyAllowTrafficServicePorts": "enable_service_security", "enableNodeLabeling": "enable_node_labeling",
	"servicesLeaseName": "svc_leasename", "dnsMode": "dns_mode", "disableServiceUpdates": "disable_service_updates", "enableEndpoints": "enable_endpoints",
	"loInterfaceGlobalScope": "vip_interfaceloglobal", "healthCheckPort": "health_check_port", "prometheusHTTPServer": "prometheus_server",
	"etcdCACert": "etcd_cacert", "etcdCert": "etcd_cert", "etcdKey": "etcd_key", "etcdEndpoints": "etcd_endpoints", "k8sConfigPath": "k8s_config_file",
	"config-file": "config_file", "config": "config_file", "startAsLeader": "vip_startleader", "localPeer": "vip_localpeer", "remotePeers": "vip_peers",
	"addPeersToLB": "vip_addpeerstolb", "lbBackEndPort": "lb_backendport", "preserveVipOnLeadershipLoss": "vip_preserve_on_leadership_loss",
}

// switches are flags that take no word after them.
var switches = map[string]bool{
	"arp": true, "wireguard": true, "table": true, "enableLoadBalancer": true, "ddns": true, "leaderElection": true, "bgp": true, "multihop": true, "zebra": true,
	"cleanRoutingTable": true, "controlplane": true, "autodetectcp": true, "services": true, "servicesElection": true, "lbClassOnly": true,
	"lbClassNameLegacyHandling": true, "onlyAllowTrafficServicePorts": true, "enableNodeLabeling": true, "disableServiceUpdates": true, "enableEndpoints": true,
	"loInterfaceGlobalScope": true, "startAsLeader": true, "addPeersToLB": true, "preserveVipOnLeadershipLoss": true,
}

// arguments reads a command line: the command, and flags in the forms --name=value,
// --name value and --switch.
func (r *reader) arguments(i *instance, words []yamlnode.Node) {
	for at := 0; at < len(words); at++ {
		word := words[at]
		name, isFlag := strings.CutPrefix(strings.TrimPrefix(word.Text(), "-"), "-")
		if !isFlag && !strings.HasPrefix(word.Text(), "-") {
			r.command(i, word)
			continue
		}
		name, text, has := strings.Cut(name, "=")
		value := yamlnode.Text(text, word.At())
		switch {
		case has:
		case switches[name]:
			value = yamlnode.Text("true", word.At())
		case at+1 < len(words):
			at++
			value = words[at]
		}
		variable := flags[name]
		if variable == "" {
			r.p.Note(plan.Lost, word.At(), "flag --"+yamlnode.Word(name), "it is not known here; see kube-vip's manual whether kshalb has something like it")
			continue
		}
		if name == "c" && i.mode == "start" {
			variable = "config_file"
		}
		i.add(variable, value, word.At())
	}
}

// command is a word that is no flag.
func (r *reader) command(i *instance, word yamlnode.Node) {
	switch text := word.Text(); {
	case strings.HasSuffix(text, "kube-vip"):
	case text == "manager" || text == "service" || text == "start":
		i.mode = text
	case !i.shells:
		i.shells = true
		r.p.Note(plan.Fault, word.At(), "a command other than kube-vip's own", "what a script does is not read here; give the pod's manifest with kube-vip's arguments and variables themselves")
	}
}
