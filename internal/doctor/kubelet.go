package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Kubelet is how the kubelet of a host finds its node's address.
type Kubelet struct {
	Where   string       `json:"where,omitempty"`   // its process, or the files that start it; "": there is none
	NodeIPs []netip.Addr `json:"nodeIPs,omitempty"` // --node-ip, unless it is "any"
	Cloud   bool         `json:"cloud,omitempty"`   // a cloud tells the address
	// Name is the node's, and Named what that means here. A kubelet takes the first of
	// those that this host has (pkg/kubelet/nodestatus of Kubernetes, NodeAddress);
	// Own says that there is one which is no VIP.
	Name  string       `json:"name,omitempty"`
	Named []netip.Addr `json:"named,omitempty"`
	Own   bool         `json:"own,omitempty"`
	// Picked is what it takes without one: the first address of the interface with a
	// default route.
	Picked   netip.Addr `json:"picked,omitzero"`
	PickedOn string     `json:"pickedOn,omitempty"`
}

// kubeletFiles start a kubelet: kubeadm's, those of its packages, and those of RKE2
// and k3s.
var kubeletFiles = []string{
	"/var/lib/kubelet/kubeadm-flags.env", "/etc/default/kubelet", "/etc/sysconfig/kubelet",
	"/etc/rancher/rke2/config.yaml", "/etc/rancher/k3s/config.yaml",
}

// nodeNameTimeout bounds looking up the node's own name.
const nodeNameTimeout = 3 * time.Second

func lookKubelet(ctx context.Context, l *Looker, v *View) error {
	args, where, err := l.kubeletArgs()
	if err != nil {
		return err
	}
	v.Kubelet = &Kubelet{Where: where}
	if where == "" {
		return nil
	}
	k := v.Kubelet
	given, _ := flag(args, "node-ip")
	k.NodeIPs = parseNodeIPs(given)
	provider, _ := flag(args, "cloud-provider")
	k.Cloud = provider != ""
	if len(k.NodeIPs) > 0 {
		return nil
	}
	k.Name, _ = l.hostWord("/proc/sys/kernel/hostname")
	for _, name := range []string{"hostname-override", "node-name"} {
		if other, ok := flag(args, name); ok {
			k.Name = other
		}
	}
	ctx, cancel := context.WithTimeout(ctx, nodeNameTimeout)
	defer cancel()
	hosts, _ := l.hostHead(hostsFile)
	name := Name{Name: canonical(k.Name)}
	if name.Name != "" {
		l.resolve(ctx, &name, parseHosts(hosts)[name.Name])
	}
	k.Named = name.Addresses
	addresses, err := hostAddresses()
	if err != nil {
		return err
	}
	k.Own = slices.ContainsFunc(addresses, func(a hostAddress) bool {
		ip := a.prefix.Addr()
		return slices.Contains(k.Named, ip) && ip.IsGlobalUnicast() && !l.isVIP(ip)
	})
	k.Picked, k.PickedOn = l.picks(addresses, given == "::")
	return nil
}

// kubeletArgs are those of the one that runs, or else those that the files give.
func (l *Looker) kubeletArgs() (args []string, where string, err error) {
	running, err := l.processes("kubelet", "k3s-server", "k3s-agent")
	if err != nil {
		return nil, "", err
	}
	var files []string
	for _, file := range kubeletFiles {
		text, err := l.hostFile(file)
		if err != nil {
			continue
		}
		files = append(files, file)
		m := manifest{file, withoutComments(string(text))}
		args = append(append(args, m.flags()...), m.rancherFlags()...)
	}
	if len(running) > 0 {
		p := running[0]
		if p.name == "kubelet" {
			return p.args, p.String(), nil
		}
		return append(args, p.args...), p.String(), nil // k3s goes by its file, too
	}
	return args, strings.Join(files, ", "), nil
}

// rancherKey is a line of RKE2's and k3s's configuration that is a flag there.
var rancherKey = regexp.MustCompile(`(?m)^(node-ip|node-name):[ \t]*(.*(?:\n[ \t]*-[ \t]+.*)*)`)

// rancherFlags are the flags that matter here in a file of RKE2 or k3s.
func (m manifest) rancherFlags() (args []string) {
	for _, line := range rancherKey.FindAllStringSubmatch(m.text, -1) {
		values := strings.FieldsFunc(line[2], func(r rune) bool { return strings.ContainsRune(" \t\n\"',[]", r) })
		var kept []string
		for _, v := range values {
			if v != "-" {
				kept = append(kept, v)
			}
		}
		args = append(args, "--"+line[1]+"="+strings.Join(kept, ","))
	}
	return args
}

// parseNodeIPs reads --node-ip; 0.0.0.0 and :: are none.
func parseNodeIPs(text string) (all []netip.Addr) {
	for word := range strings.SplitSeq(text, ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(word)); err == nil && !a.IsUnspecified() {
			all = append(all, a.Unmap())
		}
	}
	return all
}

// picks is the address that a kubelet takes that was told none and whose name means
// none of this host (k8s.io/apimachinery, pkg/util/net, ResolveBindAddress): the
// first global one, in the kernel's order, of the first interface with a default
// route, of IPv4 before IPv6. It asks for neither flags nor lifetimes, so that an
// address with preferred_lft 0 is as good as another.
func (l *Looker) picks(addresses []hostAddress, six bool) (netip.Addr, string) {
	families := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	if six {
		families[0], families[1] = families[1], families[0]
	}
	for _, family := range families {
		routes, err := l.hostRoutes(family)
		if err != nil {
			continue // a kernel without IPv6
		}
		for _, r := range routes {
			if r.to.Bits() != 0 || r.link == "lo" {
				continue
			}
			for _, a := range addresses {
				ip := a.prefix.Addr()
				if a.link == r.link && ip.Is4() == family.Is4() && ip.IsGlobalUnicast() {
					return ip, r.link
				}
			}
		}
	}
	return netip.Addr{}, ""
}

// judgeKubelet finds a kubelet that takes, or could take, a VIP for its node's own
// address.
func judgeKubelet(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		if k := c.Views[node].Kubelet; k != nil {
			f := c.judgeKubeletOf(node, *k)
			f.Node = node
			all = append(all, f)
		}
	}
	return all
}

func (c Case) judgeKubeletOf(node string, k Kubelet) Finding {
	if k.Where == "" {
		return Finding{Level: Fine, Saw: "no kubelet runs here"}
	}
	const why = "other nodes then look for this one where another node is: the address moves, and with it the node's"
	mend := fmt.Sprintf("give the kubelet --node-ip=%s (KUBELET_EXTRA_ARGS in /etc/default/kubelet or /etc/sysconfig/kubelet,"+
		" node-ip in the file of RKE2 or k3s), then systemctl restart kubelet", c.ownAddress(node))
	if vips := c.vipsAmong(k.NodeIPs); len(vips) > 0 {
		return Finding{Level: Fault, Saw: fmt.Sprintf("--node-ip of the kubelet (%s) is VIP %s", k.Where, addressList(vips)), Why: why, Mend: mend}
	}
	if len(k.NodeIPs) > 0 {
		return Finding{Level: Fine, Saw: "the kubelet's --node-ip is " + addressList(k.NodeIPs)}
	}
	if k.Cloud {
		return Finding{Level: Fine, Saw: "a cloud provider tells the kubelet its node's address"}
	}
	if vips := c.vipsAmong(k.Named); len(vips) > 0 {
		return Finding{Level: Fault,
			Saw:  fmt.Sprintf("the kubelet has no --node-ip, and the node's name %s is VIP %s", k.Name, addressList(vips)),
			Why:  "while this node holds the VIP its kubelet takes it for its own address: " + why,
			Mend: fmt.Sprintf("let %s mean %s in /etc/hosts or DNS, or %s", k.Name, c.ownAddress(node), mend)}
	}
	if k.Own {
		return Finding{Level: Fine, Saw: fmt.Sprintf("the kubelet has no --node-ip, and takes what the node's name %s means: %s", k.Name, addressList(k.Named))}
	}
	if !k.Picked.IsValid() {
		return Finding{Level: Fine, Saw: "the kubelet has no --node-ip, and there is no default route whose interface has an address to take"}
	}
	if vip, ok := c.vipAt(k.Picked); ok {
		return Finding{Level: Fault,
			Saw: fmt.Sprintf("the kubelet has no --node-ip, and VIP %s is the first address of %s, which it takes then", vip.Address, k.PickedOn),
			Why: why, Mend: mend}
	}
	if k.Picked.Is6() && c.hasVIPof6() && c.holds(node) {
		return Finding{Level: Warning,
			Saw: fmt.Sprintf("the kubelet has no --node-ip, and takes the first address of %s, now %s", k.PickedOn, k.Picked),
			Why: "Linux puts a new IPv6 address before the others: while this node holds the VIP, that is the VIP. " + why, Mend: mend}
	}
	return Finding{Level: Fine, Saw: fmt.Sprintf("the kubelet has no --node-ip, and takes %s of %s; a VIP stands behind that", k.Picked, k.PickedOn)}
}

func (c Case) hasVIPof6() bool {
	for _, v := range c.Config.VIPs {
		if v.Address.Is6() {
			return true
		}
	}
	return false
}

func (c Case) vipsAmong(addresses []netip.Addr) (found []netip.Addr) {
	for _, a := range addresses {
		if _, ok := c.vipAt(a); ok {
			found = append(found, a)
		}
	}
	return found
}

// ownAddress is a peer's, in words where it is none.
func (c Case) ownAddress(node string) string {
	if p, ok := c.peer(node); ok {
		return p.Address.String()
	}
	return "ADDRESS-OF-THIS-HOST"
}
