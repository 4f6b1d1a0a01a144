package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// Sysctls are the network settings of a host that can be in the way of a VIP.
type Sysctls struct {
	Homes []Home         `json:"homes,omitempty"` // of the VIPs
	Set   map[string]int `json:"set"`             // by the file below /proc/sys/net; what the kernel has not is missing
	Pods  bool           `json:"pods,omitempty"`  // a kubelet or kube-proxy runs here; false: or it is not known
	// ToBackends are the interfaces to backends that see clients' addresses.
	ToBackends []string `json:"toBackends,omitempty"`
}

// Home is where the host would have a VIP.
type Home struct {
	VIP       string       `json:"vip"`                 // its name
	Interface string       `json:"interface,omitempty"` // "": no network of this host holds it
	Network   netip.Prefix `json:"network,omitzero"`    // of the interface, that holds it
	// Refuses says that the kernel drops what comes by this interface from clients
	// of other networks, and that there is a way back to them.
	Refuses bool `json:"refuses,omitempty"`
}

// What is read, of "all" and of an interface.
var (
	sysctls4    = []string{"arp_ignore", "drop_gratuitous_arp", "rp_filter"}
	sysctls6    = []string{"disable_ipv6", "drop_unsolicited_na"}
	sysctlMarks = "src_valid_mark"
)

const ipForward = "ipv4/ip_forward"

func lookSysctls(_ context.Context, l *Looker, v *View) error {
	s := Sysctls{Set: make(map[string]int)}
	l.readSysctl(s.Set, ipForward)
	for _, vip := range l.Config.VIPs {
		h, err := l.lookHome(vip)
		if err != nil {
			return err
		}
		s.Homes = append(s.Homes, h)
		for _, link := range []string{"all", h.Interface} {
			l.readSysctls(s.Set, vip.Address, link)
		}
	}
	for _, link := range l.transparentLinks() {
		s.ToBackends = append(s.ToBackends, link)
		for _, name := range []string{"all", link} {
			l.readSysctl(s.Set, path.Join("ipv4/conf", name, sysctlMarks))
		}
	}
	if pods, err := l.processes("kubelet", "kube-proxy"); err == nil {
		s.Pods = len(pods) > 0
	}
	v.Sysctls = &s
	return nil
}

// readSysctls reads those of an interface that matter for an address.
func (l *Looker) readSysctls(set map[string]int, of netip.Addr, link string) {
	folder, names := "ipv4/conf", sysctls4
	if of.Is6() {
		folder, names = "ipv6/conf", sysctls6
	}
	for _, name := range names {
		if link != "" {
			l.readSysctl(set, path.Join(folder, link, name))
		}
	}
}

func (l *Looker) readSysctl(set map[string]int, name string) {
	if word, ok := l.hostWord(path.Join("/proc/sys/net", name)); ok {
		if n, err := strconv.Atoi(word); err == nil {
			set[name] = n
		}
	}
}

// lookHome finds where a VIP would be, and whether strangers reach it there.
func (l *Looker) lookHome(vip config.VIP) (h Home, err error) {
	h.VIP = vip.Name
	if h.Interface, h.Network, err = l.home(vip); err != nil || h.Interface == "" || vip.Address.Is6() {
		return h, err
	}
	routes, err := l.hostRoutes(vip.Address)
	if out := outward(routes); err != nil || out == "" || out == h.Interface {
		return h, err
	}
	addresses, err := hostAddresses()
	if err != nil {
		return h, err
	}
	for _, a := range addresses {
		if a.link == h.Interface && a.prefix.Addr().Is4() && a.prefix.Addr() != vip.Address {
			h.Refuses, err = refusesStrangers(h.Interface, a.prefix)
			return h, err
		}
	}
	return h, nil
}

// transparentLinks are the interfaces to backends that are to see clients'
// addresses (source: client), as far as routes show them.
func (l *Looker) transparentLinks() (links []string) {
	seen := make(map[string]bool)
	for _, listener := range l.Config.Listeners {
		for _, b := range listener.Backends {
			if !listener.Transparent || !b.Address.Addr().Is4() {
				continue
			}
			link, _, err := l.home(config.VIP{Address: b.Address.Addr()})
			if link == "" && err == nil {
				routes, _ := l.hostRoutes(b.Address.Addr())
				link = outward(routes)
			}
			if link != "" && !seen[link] {
				seen[link] = true
				links = append(links, link)
			}
		}
	}
	return links
}

// worst is the value that counts where the higher one of "all" and of an interface
// does (IN_DEV_MAXCONF and IN_DEV_ORCONF of linux/inetdevice.h).
func (s Sysctls) worst(folder, link, name string) int {
	return max(s.Set[path.Join(folder, "all", name)], s.Set[path.Join(folder, link, name)])
}

// sysctlCommand sets a setting of "all" and of an interface. Names of interfaces may
// have dots, so slashes part the words (sysctl(8)).
func sysctlCommand(folder, link, name string, value int) string {
	var words []string
	for _, of := range []string{"all", link} {
		words = append(words, fmt.Sprintf("net/%s/%s/%s=%d", folder, of, name, value))
	}
	return "sysctl -w " + strings.Join(words, " ") + ", and write the same to a file in /etc/sysctl.d"
}
