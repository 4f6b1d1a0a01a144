package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func TestOurs(t *testing.T) {
	marked := address{local: testVIP, prefix: 32, label: "eth0:kshalb", valid: 1}
	for name, test := range map[string]struct {
		change func(*address)
		want   bool
	}{
		"all but the origin":    {func(*address) {}, true},
		"our origin":            {func(a *address) { *a = address{proto: Proto, prefix: 24, valid: forever} }, true},
		"another origin":        {func(a *address) { a.proto = 2 }, false},
		"another label":         {func(a *address) { a.label = "eth0" }, false},
		"another prefix":        {func(a *address) { a.prefix = 24 }, false},
		"without lifetime":      {func(a *address) { a.valid = forever }, false},
		"preferred for a while": {func(a *address) { a.preferred = 1 }, false},
		"IPv6, no origin":       {func(a *address) { *a = address{local: testVIP6, prefix: 128, valid: 1} }, false},
		"IPv6, our origin":      {func(a *address) { *a = address{local: testVIP6, prefix: 128, valid: 1, proto: Proto} }, true},
	} {
		a := marked
		test.change(&a)
		if got := a.ours(); got != test.want {
			t.Errorf("%s: ours is %v", name, got)
		}
	}
}

func TestLabel(t *testing.T) {
	for ifname, want := range map[string]string{"eth0": "eth0:kshalb", "enp0s31f": "enp0s31f:kshalb", "enp0s31f6": ""} {
		if got := label(ifname); got != want {
			t.Errorf("label of %s is %q, want %q", ifname, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	usable := make(map[int]netlink.Link)
	for i := 1; i <= 3; i++ {
		usable[i] = &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Index: i}}
	}
	route := func(index int, dst string, metric int) netlink.Route {
		_, n, err := net.ParseCIDR(dst)
		if err != nil {
			t.Fatal(err)
		}
		return netlink.Route{LinkIndex: index, Dst: n, Priority: metric}
	}
	via := route(3, "10.0.0.0/30", 0)
	via.Gw = net.IPv4(10, 0, 0, 1)
	for name, test := range map[string]struct {
		routes []netlink.Route
		want   int // 0: none
	}{
		"none":           {nil, 0},
		"elsewhere":      {[]netlink.Route{route(1, "10.1.0.0/16", 0)}, 0},
		"default":        {[]netlink.Route{route(1, "0.0.0.0/0", 0), {LinkIndex: 1}}, 0},
		"narrowest":      {[]netlink.Route{route(1, "10.0.0.0/8", 0), route(2, "10.0.0.0/24", 9), route(3, "10.0.0.0/16", 0)}, 2},
		"lowest metric":  {[]netlink.Route{route(1, "10.0.0.0/24", 100), route(2, "10.0.0.0/24", 50), route(3, "10.0.0.0/24", 70)}, 2},
		"first of equal": {[]netlink.Route{route(2, "10.0.0.0/24", 5), route(1, "10.0.0.0/24", 5)}, 2},
		"gateway":        {[]netlink.Route{via, route(1, "10.0.0.0/24", 0)}, 1},
		"unusable":       {[]netlink.Route{route(9, "10.0.0.0/30", 0), route(1, "10.0.0.0/24", 0)}, 1},
	} {
		l, ok := nearest(test.routes, usable, netip.MustParseAddr("10.0.0.2"))
		got := 0
		if ok {
			got = l.Attrs().Index
		}
		if got != test.want {
			t.Errorf("%s: interface %d, want %d", name, got, test.want)
		}
	}
}

func TestDumpTriesAgain(t *testing.T) {
	for _, interrupted := range []int{0, dumps - 1, dumps} {
		tries := 0
		_, err := dump(func() ([]int, error) {
			if tries++; tries <= interrupted {
				return nil, netlink.ErrDumpInterrupted
			}
			return nil, nil
		})
		if want := interrupted == dumps; (err != nil) != want {
			t.Errorf("interrupted %d times: error %v", interrupted, err)
		}
	}
}

func TestExplain(t *testing.T) {
	for err, want := range map[error]string{
		nil:                  "",
		unix.EPERM:           "CAP_NET_ADMIN",
		unix.EPROTONOSUPPORT: "modprobe -a nf_tables",
		unix.EINVAL:          "modprobe -a nf_tables",
		unix.EOPNOTSUPP:      "modprobe -a nf_tables",
		unix.ENOENT:          "nft_chain_nat",
		unix.ENOMEM:          "cannot allocate memory",
	} {
		got := explain(err)
		if !errors.Is(got, err) || !strings.Contains(fmt.Sprint(got), want) {
			t.Errorf("%v is explained as %v", err, got)
		}
	}
}

// Whatever bytes come, parsing them ends and gives nothing that is ours by
// accident of length.
func FuzzParseAddress(f *testing.F) {
	req := nl.NewNetlinkRequest(unix.RTM_NEWADDR, 0)
	addAddress(req, 3, testVIP, "eth0:kshalb")
	req.AddData(nl.NewRtAttr(ifaProto, []byte{Proto}))
	f.Add(req.Serialize()[unix.SizeofNlMsghdr:])
	f.Add([]byte{})
	f.Add(append(make([]byte, unix.SizeofIfAddrmsg), 5, 0, ifaProto, 0, Proto)) // not padded
	f.Add(make([]byte, unix.SizeofIfAddrmsg))
	f.Fuzz(func(t *testing.T, m []byte) {
		a, err := parseAddress(m)
		if err != nil && a != (address{}) {
			t.Errorf("error %v and address %+v", err, a)
		}
		if a.ours() && len(m) <= unix.SizeofIfAddrmsg+unix.SizeofRtAttr {
			t.Errorf("%x is ours: %+v", m, a)
		}
	})
}
