package paths

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// family is what differs between IPv4 and IPv6.
type family struct {
	name     string
	sysctl   string // the folder of its settings
	gateway  netip.Prefix
	pod      netip.Prefix
	anywhere string // the destination of a default route
}

// families are those that a VIP may be of.
var families = []family{
	{"IPv4", "/proc/sys/net/ipv4", netip.MustParsePrefix("10.244.0.1/24"), netip.MustParsePrefix("10.244.0.2/24"), "0.0.0.0/0"},
}

// requests of each path: every backend, that of the holder's own host too, has
// its turn twice.
const requests = 6

// TestPaths: whoever connects to the VIP arrives at a backend, through kshalb.
func TestPaths(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) { everyPath(t, f) })
	}
}

func everyPath(t *testing.T, f family) {
	c, err := cluster.New(labtest.New(t), binary)
	must(t, err)
	for _, m := range c.Masters {
		serve(t, m)
		must(t, m.Start())
	}
	h := holder(t, c)
	standby := c.Masters[0]
	if standby == h {
		standby = c.Masters[1]
	}
	pod, podElsewhere := addPod(t, c, h, f), addPod(t, c, standby, f)
	places := []struct {
		name   string
		from   from
		routed bool // through a host that must forward
	}{
		{"outside", c.Client.DialContext, false},
		{"the holder", h.DialContext, false},
		{"a standby", standby.DialContext, false},
		{"a pod of the holder", pod.DialContext, false},
		{"a pod of a standby", podElsewhere.DialContext, true},
	}
	hosts := []*cluster.Master{h, standby}
	for _, rules := range others {
		for _, m := range hosts {
			must(t, m.Do(func() error { return rules.put(f, m == h || !rules.here) }))
		}
		for _, s := range settings {
			for _, m := range hosts {
				set(t, m, f, s)
			}
			for _, place := range places {
				if place.routed && s.forward == "0" {
					continue
				}
				name := fmt.Sprintf("%s/ip_forward=%s/rp_filter=%s/%s", rules.name, s.forward, s.filter, place.name)
				t.Run(name, func(t *testing.T) { arrives(t, c, h, place.from) })
			}
		}
		for _, m := range hosts {
			must(t, m.Do(rules.remove))
		}
	}
}

// setting is that of a host's interfaces.
type setting struct{ forward, filter string }

var settings = []setting{{"0", "0"}, {"0", "1"}, {"0", "2"}, {"1", "0"}, {"1", "1"}, {"1", "2"}}

// arrives asks the VIP, and tells by kshalb's own count that it was asked.
func arrives(t *testing.T, c *cluster.Cluster, h *cluster.Master, dial from) {
	ctx := labtest.Context(t, limit)
	before := relayed(ctx, t, h)
	by, err := ask(ctx, c, dial, c.VIP, requests)
	must(t, err)
	if n := relayed(ctx, t, h) - before; n != requests {
		t.Errorf("kshalb relayed %d connections, want %d; answers %v", n, requests, by)
	}
	for _, m := range c.Masters {
		if by[m.Name()] != requests/len(c.Masters) {
			t.Errorf("%s answered %d of %d: %v", m.Name(), by[m.Name()], requests, by)
		}
	}
	by, err = ask(ctx, c, c.Client.DialContext, h.Addr(), 1)
	if err != nil || by[h.Name()] != 1 {
		t.Errorf("the host's own port: answers %v, %v", by, err)
	}
}

// set makes the settings of all interfaces of a host. rp_filter is the higher
// one of "all" and the interface (ip-sysctl.rst).
func set(t *testing.T, h *cluster.Master, f family, s setting) {
	t.Helper()
	must(t, h.Do(func() error {
		if err := os.WriteFile(f.sysctl+"/ip_forward", []byte(s.forward), 0); err != nil {
			return err
		}
		for _, name := range []string{"all", "default", "lo", "eth0", "pods"} {
			if err := os.WriteFile(f.sysctl+"/conf/"+name+"/rp_filter", []byte(s.filter), 0); err != nil {
				return err
			}
		}
		return nil
	}))
}

// addPod adds a host behind the holder: its only way is a veth pair to it, and
// what it sends to others is to be masqueraded there.
func addPod(t *testing.T, c *cluster.Cluster, on *cluster.Master, f family) *lab.Host {
	t.Helper()
	pod, err := c.Lab.AddHost("pod-of-" + on.Name())
	must(t, err)
	var ns int
	must(t, pod.Do(func() (err error) {
		ns, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	}))
	defer unix.Close(ns)
	must(t, on.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "pods"
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "net0", PeerNamespace: netlink.NsFd(ns)}
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		return up("pods", f.gateway)
	}))
	must(t, pod.Do(func() error {
		if err := up("net0", f.pod); err != nil {
			return err
		}
		to, err := netlink.ParseIPNet(f.anywhere)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: to, Gw: f.gateway.Addr().AsSlice()})
	}))
	return pod
}

// up sets an interface up, with an address.
func up(name string, p netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(p.String())
	if err != nil {
		return err
	}
	if p.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
