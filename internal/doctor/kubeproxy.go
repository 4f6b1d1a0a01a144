package doctor

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// KubeProxy is what kube-proxy, or another user of IPVS, does with VIPs on a host.
type KubeProxy struct {
	Hidden    string           `json:"hidden,omitempty"`    // why its process was not seen
	Process   string           `json:"process,omitempty"`   // "": none runs
	Mode      string           `json:"mode,omitempty"`      // as it was told; "" is its default
	StrictARP bool             `json:"strictARP,omitempty"` // of mode ipvs
	Bound     []netip.Addr     `json:"bound,omitempty"`     // the VIPs on kube-ipvs0
	Virtual   []netip.AddrPort `json:"virtual,omitempty"`   // the servers of IPVS at VIPs, without node ports
}

// ipvsLink is the dummy interface of kube-proxy in mode ipvs.
const ipvsLink = "kube-ipvs0"

func lookKubeProxy(_ context.Context, l *Looker, v *View) error {
	var k KubeProxy
	addresses, err := hostAddresses()
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if a.link == ipvsLink && l.isVIP(a.prefix.Addr()) {
			k.Bound = append(k.Bound, a.prefix.Addr())
		}
	}
	text, _ := l.hostHead("/proc/net/ip_vs") // there is none without IPVS
	k.Virtual = l.virtual(parseIPVS(string(text)))
	running, err := l.processes("kube-proxy")
	if err != nil {
		k.Hidden = err.Error()
	}
	if len(running) > 0 {
		l.readKubeProxy(&k, running[0])
	}
	v.KubeProxy = &k
	return nil
}

// virtual are those at VIPs. kube-proxy makes one for a Service's node port at each
// address of the host, a VIP that it holds among them: kshalb's redirect comes before
// these.
func (l *Looker) virtual(all []netip.AddrPort) (at []netip.AddrPort) {
	for _, v := range all {
		isNodePort := slices.ContainsFunc(l.Config.Cluster.Peers, func(p config.Peer) bool {
			return slices.Contains(all, netip.AddrPortFrom(p.Address, v.Port()))
		})
		if l.isVIP(v.Addr()) && !isNodePort {
			at = append(at, v)
		}
	}
	return at
}

var (
	kubeProxyMode      = regexp.MustCompile(`(?m)^mode:[ \t]*["']?([a-z]*)`)
	kubeProxyStrictARP = regexp.MustCompile(`(?m)^[ \t]+strictARP:[ \t]*true`)
)

// readKubeProxy reads how it was started, and its file, which is in its container.
func (l *Looker) readKubeProxy(k *KubeProxy, p process) {
	k.Process = p.String()
	k.Mode, _ = flag(p.args, "proxy-mode")
	strict, given := flag(p.args, "ipvs-strict-arp")
	k.StrictARP = given && strict != "false"
	file, given := flag(p.args, "config")
	if !given {
		return
	}
	text, err := l.processFile(p, file)
	if err != nil {
		return
	}
	if m := kubeProxyMode.FindSubmatch(text); m != nil { // a file counts more than flags
		k.Mode = string(m[1])
	}
	k.StrictARP = k.StrictARP || kubeProxyStrictARP.Match(text)
}

// parseIPVS reads the virtual servers of /proc/net/ip_vs (net/netfilter/ipvs,
// ip_vs_info_seq_show): "TCP  C0A8000A:192B rr" or "TCP  [2001:db8::1]:192B rr".
func parseIPVS(text string) (all []netip.AddrPort) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "TCP" {
			continue
		}
		i := strings.LastIndexByte(f[1], ':')
		if i < 0 {
			continue
		}
		port, err := strconv.ParseUint(f[1][i+1:], 16, 16)
		addr, ok := netip.Addr{}, false
		if b, err := hex.DecodeString(f[1][:i]); err == nil {
			addr, ok = netip.AddrFromSlice(b)
		} else if a, err := netip.ParseAddr(strings.Trim(f[1][:i], "[]")); err == nil {
			addr, ok = a, true
		}
		if ok && err == nil {
			all = append(all, netip.AddrPortFrom(addr, uint16(port)))
		}
	}
	return all
}

// judgeKubeProxy finds what takes packets for a VIP before kshalb, or on every node
// at once. That mode ipvs leaves out strictARP, or excludeCIDRs, harms no VIP of
// kshalb's: its address is not on kube-proxy's interface, and it uses no IPVS.
func judgeKubeProxy(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		k := c.Views[node].KubeProxy
		if k == nil {
			continue
		}
		var found []Finding
		if k.Hidden != "" {
			found = append(found, Finding{Level: Unseen, Saw: "its mode was not seen: " + k.Hidden})
		}
		if len(k.Bound) > 0 {
			found = append(found, Finding{Level: Fault,
				Saw: fmt.Sprintf("VIP %s is on %s", addressList(k.Bound), ipvsLink),
				Why: "a Service has it as an external or load balancer address, so that kube-proxy puts it on every node:" +
					" each takes its packets, and without strictARP each answers for it",
				Mend: "take the address out of the Service (kubectl get services -A -o wide shows which has it)"})
		}
		for _, at := range k.Virtual {
			found = append(found, c.judgeVirtual(at)...)
		}
		all = append(all, orFine(found, node, k.String())...)
	}
	return all
}

// judgeVirtual is about one server of IPVS at a VIP. It gets what no redirect has
// sent elsewhere before (NF_INET_LOCAL_IN comes behind prerouting).
func (c Case) judgeVirtual(at netip.AddrPort) []Finding {
	f := Finding{Level: Warning,
		Saw:  fmt.Sprintf("IPVS has a virtual server at %s, a port of kshalb's", at),
		Why:  "while kshalb's redirect is not there the kernel sends its clients to IPVS's targets; kube-vip or Keepalived have left it",
		Mend: fmt.Sprintf("ipvsadm -D -t %s, after whatever puts it there was stopped", at)}
	for _, l := range c.Config.Listeners {
		switch {
		case l.Bind.Addr() == at.Addr() && l.Bind.Port() == at.Port():
			f.Level, f.Why = Fault, "the kernel sends kshalb's clients to IPVS's targets; kube-vip or Keepalived have left it"
			return []Finding{f}
		case l.Address == at:
			return []Finding{f}
		}
	}
	return nil
}

// String is what was seen where nothing hurts.
func (k KubeProxy) String() string {
	switch {
	case k.Process == "":
		return "no kube-proxy runs here, and IPVS has nothing at a VIP"
	case k.Mode == "ipvs":
		return fmt.Sprintf("%s is in mode ipvs, strictARP %v; no VIP is on %s", k.Process, k.StrictARP, ipvsLink)
	case slices.Contains([]string{"", "iptables"}, k.Mode):
		return k.Process + " is in mode iptables, and IPVS has nothing at a VIP"
	}
	return fmt.Sprintf("%s is in mode %s, and IPVS has nothing at a VIP", k.Process, k.Mode)
}
