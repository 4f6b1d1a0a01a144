package keepalived

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// blocks are all that keepalived has.
var blocks = words("global_defs notification_email linkbeat_interfaces track_group group static_ipaddress static_addresses static_routes static_rules" +
	" bfd_instance interface_up_down_delays vrrp_script vrrp_track_process track_file vrrp_track_file vrrp_sync_group garp_group interfaces" +
	" vrrp_instance track_interface track_script track_process track_bfd unicast_peer authentication virtual_ipaddress" +
	" virtual_ipaddress_excluded virtual_routes virtual_rules virtual_server_group virtual_server real_server url host SSL" +
	" HTTP_GET SSL_GET TCP_CHECK SMTP_CHECK DNS_CHECK MISC_CHECK BFD_CHECK PING_CHECK UDP_CHECK FILE_CHECK")

// alone are keywords with one word behind them, of which alone keepalived takes
// notice.
var alone = words("state interface virtual_router_id priority advert_int unicast_src_ip mcast_src_ip version down_timer_adverts" +
	" garp_master_refresh vrrp_garp_master_refresh router_id lvs_id vrrp_version default_interface lb_algo lvs_sched protocol persistence_timeout" +
	" quorum delay_loop delay_before_retry retry nb_get_retry connect_timeout connect_port virtualhost path ca certificate key")

// most is how many words a block has behind its keyword.
var most = map[string]int{"vrrp_instance": 1, "vrrp_sync_group": 1, "vrrp_script": 1, "virtual_server_group": 1, "virtual_server": 2, "real_server": 2}

func words(text string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(text) {
		m[w] = true
	}
	return m
}

// shapes tells of braces and words where keepalived has none. What is in a block
// that is none is looked at no further.
func (n *notebook) shapes(b *node) {
	seen := map[string]bool{}
	for _, k := range b.kids {
		switch {
		case k.block && blocks[k.key]:
			n.shapes(k)
		case k.block:
			n.add(plan.Fault, k.at, label(k.key)+" {", "keepalived has no such block; what stands in it is left out, so mend it")
		case alone[k.key] && len(k.args) > 1:
			n.add(plan.Fault, k.at, k.key+" with several words", "keepalived takes notice of the first only; take the others away, or quote them")
		}
		if k.block && most[k.key] > 0 && len(k.args) > most[k.key] {
			n.add(plan.Fault, k.at, k.key+" with more words than it takes", "keepalived takes no notice of those behind; take them away")
		}
		if alone[k.key] && seen[k.key] {
			n.add(plan.Fault, k.at, k.key+" for the second time", "keepalived takes the last one in a block; take the others away")
		}
		seen[k.key] = true
	}
}
