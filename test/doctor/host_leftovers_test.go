package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/doctor"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// TestHostForeignAddress: a VIP that somebody else has put there, for ever.
func TestHostForeignAddress(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	on(t, w.Masters[0].Host, "eth0", func(l netlink.Link) error {
		return netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: w.VIP.AsSlice(), Mask: net.CIDRMask(24, 32)}})
	})
	assign(t, w.Masters[1].Host, w.VIP) // as kshalb does
	w.expect(w.judge(), "fault leftovers master1: VIP 192.168.0.10 is on eth0 as 192.168.0.10/24")
}

// TestHostStrays: programs that float addresses, on masters and not elsewhere.
func TestHostStrays(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	must(t, os.WriteFile(file, []byte("vrrp_instance x { virtual_ipaddress { 192.168.0.10 } }\n"), 0o600))
	w.start(w.Masters[0].Host, "keepalived", "idle", "-D", "-f", file)
	w.start(w.Masters[1].Host, "ucarp", "idle", "--vhid=1", "--pass=s3cret", "--addr=192.168.0.99")
	w.start(w.Masters[2].Host, "kube-vip", "idle", "manager", "--address=192.168.0.10")
	balancer := w.start(w.Masters[1].Host, "haproxy", "listen", ":26443")
	w.start(w.Client, "keepalived", "idle") // in its own network
	w.plant(w.Masters[2].Host, "/etc/kubernetes/manifests/keepalived.yaml", "image: osixia/keepalived:2.0.20\n")
	ctx := labtest.Context(t, limit)
	awaitListener(ctx, t, w.Masters[1].Host, balancer, ":26443")
	w.expect(w.judge(),
		"fault leftovers master1: keepalived runs",
		"warning leftovers master2: ucarp runs",
		"warning leftovers master2: listens on port 26443",
		"fault leftovers master3: kube-vip runs",
		"warning leftovers master3: keepalived: /etc/kubernetes/manifests/keepalived.yaml",
	)
}

// awaitListener waits until a process accepts connections.
func awaitListener(ctx context.Context, t *testing.T, h *lab.Host, p *lab.Process, address string) {
	t.Helper()
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		c, err := h.DialContext(ctx, "tcp", "127.0.0.1"+address)
		if err == nil {
			c.Close()
			return
		}
		if ctx.Err() != nil || p.State() != nil {
			t.Fatalf("%s does not listen: %v: %s", p.Name(), err, p.Tail(500))
		}
	}
}

// advert is a VRRP message of version 2 for one address, and of version 3 for one of
// IPv6.
func advert(id byte, ip netip.Addr) []byte {
	if ip.Is4() {
		return slices.Concat([]byte{0x21, id, 100, 1, 0, 1, 0, 0}, ip.AsSlice(), make([]byte, 8))
	}
	return slices.Concat([]byte{0x31, id, 100, 1, 0, 100, 0, 0}, ip.AsSlice())
}

// advertise sends an advert to everybody, again and again, until the test ends.
func advertise(t *testing.T, h *lab.Host, payload []byte, six bool) {
	t.Helper()
	family, to := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte{224, 0, 0, 18}})
	if six {
		family, to = unix.AF_INET6, &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::12").As16()}
	}
	var fd int
	on(t, h, "eth0", func(l netlink.Link) (err error) {
		const vrrp = 112
		if fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, vrrp); err != nil {
			return err
		}
		return unix.BindToDevice(fd, l.Attrs().Name)
	})
	t.Cleanup(func() { _ = unix.Close(fd) })
	labtest.Background(t, func(ctx context.Context) error {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			if err := unix.Sendto(fd, payload, 0, to); err != nil {
				return fmt.Errorf("send an advert from %s: %w", h.Name(), err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// TestHostVRRP: what others say on the wire is heard on all masters, on the one
// that sends it too, and told once.
func TestHostVRRP(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	advertise(t, w.Client, advert(51, w.VIP), false)
	advertise(t, w.Client, advert(52, netip.MustParseAddr("192.168.0.200")), false) // a router of the network, say
	advertise(t, w.Masters[1].Host, advert(53, netip.MustParseAddr("192.168.0.201")), false)
	found := w.judge()
	w.expect(found,
		"fault leftovers : VRRPv2 51 from 192.168.0.100 on eth0 for 192.168.0.10, heard by master1, master2, master3",
		"warning leftovers master2: VRRPv2 53 from 192.168.0.2 on eth0 for 192.168.0.201, heard by master1, master2, master3",
	)
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Level == doctor.Fine && f.Saw == "VRRPv2 52 from 192.168.0.100 on eth0 for 192.168.0.200: no node and no VIP of this cluster, heard by master1, master2, master3"
	}) {
		t.Error("the router's advert was not told of")
	}
}

// TestHostVRRPv3: the same with IPv6.
func TestHostVRRPv3(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{IPv6: true})
	advertise(t, w.Client, advert(51, w.VIP), true)
	w.expect(w.judge(), "fault leftovers : for fd00:6b::a, heard by master1, master2, master3")
}

const keepalivedConf = `global_defs { router_id lab }
vrrp_instance VI_1 {
  state MASTER
  interface eth0
  virtual_router_id 51
  priority 101
  advert_int 1
  authentication { auth_type PASS
    auth_pass s3cret
  }
  virtual_ipaddress { 192.168.0.10 }
}
`

// TestHostKeepalived: the real one, as a cluster has it that is to be moved.
func TestHostKeepalived(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("keepalived")
	if err != nil {
		t.Skipf("this machine has no Keepalived: %v", err)
	}
	w := newWard(t, cluster.Options{})
	m := w.Masters[0]
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	must(t, os.WriteFile(file, []byte(keepalivedConf), 0o600))
	pid := func(name string) string { return filepath.Join(m.Dir(), name+".pid") }
	p, err := m.Host.Start(lab.Spec{Path: program, Args: []string{
		"--dont-fork", "--log-console", "--use-file", file, "--pid", pid("keepalived"), "--vrrp_pid", pid("vrrp"), "--checkers_pid", pid("checkers")}})
	must(t, err)
	ctx := labtest.Context(t, limit)
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		has, err := m.Has(w.VIP)
		must(t, err)
		if has {
			break
		}
		if ctx.Err() != nil || p.State() != nil {
			t.Fatalf("Keepalived does not take the address: %s", p.Tail(2000))
		}
	}
	w.expect(w.judge(),
		"fault leftovers master1: and is to have VIP 192.168.0.10",
		"fault leftovers master1: VIP 192.168.0.10 is on eth0 as 192.168.0.10/32",
		"fault leftovers master1: VRRPv2 51 from 192.168.0.1 on eth0 for 192.168.0.10, heard by master1, master2, master3",
	)
	must(t, p.Stop(ctx))
}
