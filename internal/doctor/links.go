package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Link is the interface where a host would have a VIP.
type Link struct {
	VIP      string       `json:"vip"`                // its name
	Name     string       `json:"name,omitempty"`     // "": no network of this host holds the VIP
	Missing  bool         `json:"missing,omitempty"`  // the named one is not there
	Network  netip.Prefix `json:"network,omitzero"`   // of it, that holds the VIP
	Up       bool         `json:"up,omitempty"`       // by its administrator
	Carrier  bool         `json:"carrier,omitempty"`  // and it works
	NoARP    bool         `json:"noARP,omitempty"`    // it answers no ARP request
	MTU      int          `json:"mtu,omitempty"`      // in bytes
	Hardware string       `json:"hardware,omitempty"` // its address
	Driver   string       `json:"driver,omitempty"`   // "": not known
	Part     string       `json:"part,omitempty"`     // the bridge or bond that it is a part of
	Bond     string       `json:"bond,omitempty"`     // the mode of a bond
	Slaves   []string     `json:"slaves,omitempty"`   // of a bond
	Failed   []string     `json:"failed,omitempty"`   // slaves without a link
}

func lookLinks(_ context.Context, l *Looker, v *View) error {
	v.Links = []Link{}
	for _, vip := range l.Config.VIPs {
		name, network, err := l.home(vip)
		if err != nil {
			return err
		}
		link := Link{VIP: vip.Name, Name: name, Network: network}
		if name != "" {
			l.readLink(&link)
		}
		v.Links = append(v.Links, link)
	}
	return nil
}

func (l *Looker) readLink(link *Link) {
	i, err := net.InterfaceByName(link.Name)
	if err != nil {
		link.Missing = true
		return
	}
	link.Up, link.Carrier = i.Flags&net.FlagUp != 0, carrier(link.Name)
	link.MTU, link.Hardware = i.MTU, i.HardwareAddr.String()
	link.NoARP = noARP(link.Name)
	// What is in /sys may be of another network than this process's.
	folder := path.Join("/sys/class/net", link.Name)
	if index, _ := l.hostWord(folder + "/ifindex"); index != strconv.Itoa(i.Index) {
		return
	}
	link.readSys(l.path(folder), l)
}

// readSys reads what only /sys has (Documentation/ABI/testing/sysfs-class-net of
// Linux).
func (link *Link) readSys(folder string, l *Looker) {
	base := func(name string) string {
		to, err := os.Readlink(filepath.Join(folder, name))
		if err != nil {
			return ""
		}
		return filepath.Base(to)
	}
	link.Driver = base("device/driver")
	if master := base("master"); master != "" {
		for _, kind := range []string{"bridge", "bonding"} {
			if _, err := os.Stat(filepath.Join(folder, "master", kind)); err == nil {
				link.Part = master
			}
		}
	}
	bonding := path.Join("/sys/class/net", link.Name, "bonding")
	mode, _ := l.hostWord(bonding + "/mode") // "active-backup 1"
	link.Bond, _, _ = strings.Cut(mode, " ")
	slaves, _ := l.hostWord(bonding + "/slaves")
	link.Slaves = strings.Fields(slaves)
	for _, slave := range link.Slaves {
		if state, ok := l.hostWord(path.Join("/sys/class/net", slave, "bonding_slave/mii_status")); ok && state != "up" {
			link.Failed = append(link.Failed, slave)
		}
	}
}

// noARP reports whether an interface has IFF_NOARP (netdevice(7)).
func noARP(name string) bool {
	ifreq, err := unix.NewIfreq(name)
	if err != nil {
		return false
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifreq) == nil && ifreq.Uint16()&unix.IFF_NOARP != 0
}

// judgeLinks finds interfaces that cannot carry a VIP, and what the nodes' do not
// have in common.
func judgeLinks(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		links := c.Views[node].Links
		if links == nil {
			continue
		}
		if !c.holds(node) {
			all = append(all, Finding{Level: Fine, Node: node, Saw: "this node holds no VIP"})
			continue
		}
		for _, link := range links {
			all = append(all, orFine(c.judgeLink(link), node, link.String())...)
		}
	}
	for _, vip := range c.Config.VIPs {
		all = append(all, c.compareLinks(vip.Name)...)
	}
	return all
}

// judgeLink is about one node's.
func (c Case) judgeLink(l Link) []Finding {
	vip, _ := c.vipNamed(l.VIP)
	const standstill = "this node cannot take the VIP when another fails"
	fault := func(why, mend, format string, args ...any) []Finding {
		return []Finding{{Level: Fault, Saw: fmt.Sprintf(format, args...), Why: why, Mend: mend}}
	}
	switch {
	case l.Name == "":
		return fault(standstill, "ip route shows the networks; write vips[].interface, or correct the address",
			"no interface has a connected route that holds VIP %s", vip.Address)
	case l.Missing:
		return fault(standstill, "ip link lists them; leave vips[].interface out if nodes have different names for it",
			"there is no interface %s, which is to have VIP %s", l.Name, vip.Address)
	case !l.Up:
		return fault(standstill, "ip link set "+l.Name+" up", "interface %s is down", l.Name)
	case !l.Carrier:
		return fault(standstill, "see to its cable, switch port or bond (ip link show "+l.Name+")", "interface %s has no carrier", l.Name)
	case l.Part != "":
		return fault("packets that come by it are the other's: nobody reaches an address on it",
			fmt.Sprintf("write vips[].interface: %s", l.Part), "interface %s is a part of %s", l.Name, l.Part)
	case l.NoARP && vip.Address.Is4():
		return fault("nobody can find out where the VIP is", fmt.Sprintf("ip link set %s arp on", l.Name), "interface %s answers no ARP request (NOARP)", l.Name)
	case len(l.Failed) > 0:
		return []Finding{{Level: Warning,
			Saw:  fmt.Sprintf("of %s's slaves %s, %s has no link", l.Name, strings.Join(l.Slaves, ", "), strings.Join(l.Failed, ", ")),
			Why:  "the next failure of a cable takes this node off the network",
			Mend: "see to its cable and switch port (cat /proc/net/bonding/" + l.Name + ")"}}
	}
	return nil
}

// String is what was seen where nothing is wrong.
func (link Link) String() string {
	words := []string{fmt.Sprintf("VIP %s has its place on %s: up, mtu %d, %s", link.VIP, link.Name, link.MTU, link.Hardware)}
	if link.Network.IsValid() {
		words = append(words, "network "+link.Network.String())
	}
	if link.Driver != "" {
		words = append(words, "driver "+link.Driver)
	}
	if link.Bond != "" {
		words = append(words, fmt.Sprintf("bond %s of %s", link.Bond, strings.Join(link.Slaves, ", ")))
	}
	return strings.Join(words, ", ")
}

// compareLinks holds the nodes' interfaces of one VIP against each other.
func (c Case) compareLinks(vip string) (all []Finding) {
	mtus, networks, hardware := make(map[string][]string), make(map[string][]string), make(map[string][]string)
	for _, node := range c.Nodes() {
		i := slices.IndexFunc(c.Views[node].Links, func(l Link) bool { return l.VIP == vip })
		if i < 0 || !c.holds(node) {
			continue
		}
		if l := c.Views[node].Links[i]; l.MTU != 0 {
			mtus[strconv.Itoa(l.MTU)] = append(mtus[strconv.Itoa(l.MTU)], node)
			if l.Hardware != "" {
				hardware[l.Hardware] = append(hardware[l.Hardware], node)
			}
			if l.Network.IsValid() && !l.Network.IsSingleIP() { // a route to the VIP alone tells nothing
				networks[l.Network.Masked().String()] = append(networks[l.Network.Masked().String()], node)
			}
		}
	}
	if len(mtus) > 1 {
		all = append(all, Finding{Level: Warning, Saw: "MTUs differ on the interfaces of VIP " + vip + ": " + groups(mtus),
			Why:  "large packets to some nodes are lost without a word: connections begin well, and stand still",
			Mend: "give them all the same (ip link set DEV mtu N, and in the network's configuration)"})
	}
	if len(networks) > 1 {
		all = append(all, Finding{Level: Warning, Saw: "networks differ on the interfaces of VIP " + vip + ": " + groups(networks),
			Why:  "a VIP moves within one network: with a wrong prefix length a node does not answer some clients, and in another network it reaches none",
			Mend: "give the nodes' addresses the same prefix length, and all nodes an interface in the VIP's network"})
	}
	for _, address := range sortedKeys(hardware) {
		if nodes := hardware[address]; len(nodes) > 1 {
			all = append(all, Finding{Level: Fault, Saw: fmt.Sprintf("%s have the same hardware address %s", strings.Join(nodes, " and "), address),
				Why:  "the network takes them for one, and brings each what is for the other: virtual machines that were cloned?",
				Mend: "give each a hardware address of its own, in its virtual machine's settings"})
		}
	}
	return all
}

// groups tells which nodes have what.
func groups(of map[string][]string) string {
	var words []string
	for _, what := range sortedKeys(of) {
		words = append(words, fmt.Sprintf("%s on %s", what, strings.Join(of[what], ", ")))
	}
	return strings.Join(words, "; ")
}
