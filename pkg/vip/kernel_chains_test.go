package vip

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// flushChains takes the rules out of all chains at hooks of the test's fence but
// those that stay, by family and name.
func flushChains(stay ...string) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	all, err := conn.ListChains()
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Hooknum == nil || slices.Contains(stay, tableName(c.Table)+" "+c.Name) {
			continue
		}
		conn.FlushChain(c)
	}
	return conn.Flush()
}

// Several chains stand before each answer; each of them is enough.
func TestKernelEachChainIsEnough(t *testing.T) {
	const arp, inet = "arp kshalb-fence ", "inet kshalb-fence "
	for name, test := range map[string]struct {
		vip   netip.Addr
		chain string
		kinds []string
	}{
		"ARP in":     {testVIP, arp + "input", []string{"arp"}},
		"ARP out":    {testVIP, arp + "output", []string{"arp"}},
		"IPv4 in":    {testVIP, inet + "input", []string{"icmp", "udp", "tcp"}},
		"IPv4 out":   {testVIP, inet + "output", []string{"icmp", "udp", "tcp"}},
		"IPv6 in":    {testVIP6, inet + "input", []string{"nd", "icmp", "udp", "tcp"}},
		"IPv6 out":   {testVIP6, inet + "output", []string{"nd", "icmp", "udp", "tcp"}},
		"no chain":   {testVIP, "", nil},
		"no chain 6": {testVIP6, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := fenced(t, test.vip)
			r.ownerless()
			r.host.do(t, func() error { return flushChains(test.chain) })
			start := time.Now()
			others := slices.DeleteFunc(slices.Clone(r.kinds), func(k string) bool { return slices.Contains(test.kinds, k) })
			if !r.wire.until(start, start.Add(10*time.Second), others...) {
				t.Errorf("answers %v, want all of %v", r.wire.between(start, time.Now()), others)
			}
			<-time.After(grace)
			for kind, n := range r.wire.between(start, time.Now()) {
				if slices.Contains(test.kinds, kind) {
					t.Errorf("%d answers of kind %s", n, kind)
				}
			}
		})
	}
}

// A program that advertises the VIP through a raw socket, from another address,
// is stopped as well.
func TestKernelFenceRawAdvertisement(t *testing.T) {
	r := fenced(t, testVIP6)
	r.ownerless()
	r.wire.asking(nil)
	r.host.do(t, func() error { return flushChains("inet kshalb-fence output") })
	hw := r.host.hardwareAddr(t, hostIf)
	body := slices.Concat(be16(advertisement<<8, 0, 0x2000, 0), testVIP6.AsSlice(), []byte{2, 1}, hw)
	advertise := func() {
		r.host.do(t, func() error {
			c, err := net.ListenPacket("ip6:ipv6-icmp", "fd00:99::1")
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.WriteTo(body, &net.IPAddr{IP: net.ParseIP("ff02::1"), Zone: hostIf})
			if errors.Is(err, unix.EPERM) { // what the fence drops
				return nil
			}
			return err
		})
	}
	closed := time.Now()
	advertise()
	<-time.After(grace)
	r.silent("closed", closed, time.Now())
	before, _ := r.opened(time.Minute)
	advertise()
	if !r.wire.until(before, time.Now().Add(10*time.Second), "announcement") {
		t.Error("open, and it is not heard")
	}
}
