package doctor

import (
	"fmt"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// judgeSysctls finds the settings that hurt (Documentation/networking/ip-sysctl.rst
// of Linux). Most do not: arp_announce, arp_filter, accept_local, ip_nonlocal_bind,
// route_localnet and promote_secondaries of any value, arp_ignore up to 3, and
// rp_filter with one interface were tried, or do not concern an address of its own
// prefix, without duplicate address detection, that neighbours are told of by kshalb
// itself.
func judgeSysctls(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		s := c.Views[node].Sysctls
		if s == nil {
			continue
		}
		found := s.judgePods()
		if len(s.ToBackends) > 0 {
			found = append(found, s.judgeMarks()...)
		}
		for _, h := range s.Homes {
			if vip, ok := c.vipNamed(h.VIP); ok && h.Interface != "" {
				found = append(found, s.judgeLearning(h, vip)...)
				if c.holds(node) {
					found = append(found, s.judgeHome(h, vip)...)
				}
			}
		}
		all = append(all, orFine(found, node, s.String())...)
	}
	return all
}

func (c Case) vipNamed(name string) (config.VIP, bool) {
	for _, v := range c.Config.VIPs {
		if v.Name == name {
			return v, true
		}
	}
	return config.VIP{}, false
}

// judgeHome is about the interface that has the VIP, while it has it.
func (s Sysctls) judgeHome(h Home, vip config.VIP) (all []Finding) {
	if vip.Address.Is6() {
		if off, known := s.Set["ipv6/conf/"+h.Interface+"/disable_ipv6"]; !known || off != 0 {
			all = append(all, Finding{Level: Fault,
				Saw:  fmt.Sprintf("IPv6 is switched off on %s", h.Interface),
				Why:  fmt.Sprintf("VIP %s cannot be added there", vip.Address),
				Mend: sysctlCommand("ipv6/conf", h.Interface, "disable_ipv6", 0)})
		}
		return all
	}
	switch n := s.worst("ipv4/conf", h.Interface, "arp_ignore"); {
	case n == 8:
		all = append(all, Finding{Level: Fault,
			Saw:  fmt.Sprintf("arp_ignore is 8 for %s", h.Interface),
			Why:  fmt.Sprintf("the host answers no ARP request at all: who does not know it already reaches neither it nor VIP %s", vip.Address),
			Mend: sysctlCommand("ipv4/conf", h.Interface, "arp_ignore", 0)})
	case n == 2 && !h.Network.IsValid():
		all = append(all, Finding{Level: Fault,
			Saw: fmt.Sprintf("arp_ignore is 2 for %s, which has no address in the network of VIP %s", h.Interface, vip.Address),
			Why: "the host answers ARP requests only of clients that share one of its own networks with the address asked for," +
				" so that nobody learns where the VIP is after it has forgotten",
			Mend: sysctlCommand("ipv4/conf", h.Interface, "arp_ignore", 1)})
	}
	if h.Refuses {
		all = append(all, Finding{Level: Warning,
			Saw: fmt.Sprintf("rp_filter is %d for %s, and the way to other networks leaves by another interface",
				s.worst("ipv4/conf", h.Interface, "rp_filter"), h.Interface),
			Why: fmt.Sprintf("the kernel drops what clients of other networks send to VIP %s, though it arrives;"+
				" clients in %s are served", vip.Address, h.Network),
			Mend: sysctlCommand("ipv4/conf", h.Interface, "rp_filter", 2)})
	}
	return all
}

// judgeLearning is about how this host, as a client, learns that the VIP is
// elsewhere.
func (s Sysctls) judgeLearning(h Home, vip config.VIP) (all []Finding) {
	folder, name, what := "ipv4/conf", "drop_gratuitous_arp", "gratuitous ARP"
	if vip.Address.Is6() {
		folder, name, what = "ipv6/conf", "drop_unsolicited_na", "unsolicited neighbour advertisements"
	}
	if s.worst(folder, h.Interface, name) == 0 {
		return nil
	}
	return []Finding{{Level: Warning,
		Saw: fmt.Sprintf("%s is 1 for %s: the host ignores %s", name, h.Interface, what),
		Why: fmt.Sprintf("when VIP %s moves, this host goes on sending to where it was until it asks again by itself,"+
			" which takes half a minute or more", vip.Address),
		Mend: sysctlCommand(folder, h.Interface, name, 0)}}
}

func (s Sysctls) judgeMarks() (all []Finding) {
	for _, link := range s.ToBackends {
		if s.worst("ipv4/conf", link, sysctlMarks) != 0 {
			all = append(all, Finding{Level: Fault,
				Saw: fmt.Sprintf("%s is 1 for %s, by which backends are reached that see clients' addresses (source: client)", sysctlMarks, link),
				Why: "the kernel drops the answers of these backends; kshalb does not start with that." +
					" WireGuard's wg-quick sets it",
				Mend: sysctlCommand("ipv4/conf", link, sysctlMarks, 0)})
		}
	}
	return all
}

func (s Sysctls) judgePods() []Finding {
	if on, known := s.Set[ipForward]; !known || on != 0 || !s.Pods {
		return nil
	}
	return []Finding{{Level: Warning,
		Saw: "ip_forward is 0, and a kubelet or kube-proxy runs here",
		Why: "pods of this host reach nothing beyond it, so no VIP that another node has." +
			" (kshalb itself needs no forwarding.)",
		Mend: "sysctl -w net/ipv4/ip_forward=1, and write the same to a file in /etc/sysctl.d"}}
}

// String is what was seen where nothing hurts.
func (s Sysctls) String() string {
	var words []string
	told := make(map[string]bool)
	for _, h := range s.Homes {
		for _, of := range []struct {
			folder string
			names  []string
		}{{"ipv4/conf", sysctls4}, {"ipv6/conf", sysctls6}} {
			for _, name := range of.names {
				_, known := s.Set[of.folder+"/"+h.Interface+"/"+name]
				if at := h.Interface + " " + name; known && !told[at] {
					told[at] = true
					words = append(words, fmt.Sprintf("%s %d", at, s.worst(of.folder, h.Interface, name)))
				}
			}
		}
	}
	if len(words) == 0 {
		return "no setting is in the way"
	}
	return "no setting is in the way: " + strings.Join(words, ", ")
}
