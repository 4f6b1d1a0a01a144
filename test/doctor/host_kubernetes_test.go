package doctor

import (
	"fmt"
	"net"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// TestHostKubelet: kubelets that take the VIP for their node's address, as they were
// told to, by the name of the node, and by the order of addresses.
func TestHostKubelet(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	w.start(w.Masters[0].Host, "kubelet", "idle", "--node-ip=192.168.0.10")
	for _, m := range w.Masters[1:] {
		w.start(m.Host, "kubelet", "idle", "--hostname-override="+m.Name())
		assign(t, m.Host, w.VIP)
	}
	// As when its network is restarted: its own address comes behind the VIP.
	again(t, w.Masters[1])
	w.plant(w.Masters[2].Host, "/etc/hosts", "192.168.0.10 master3\n")
	for _, m := range w.Masters {
		set(t, m.Host, "ipv4/ip_forward", "1")
		must(t, m.Do(func() error { return routeVia(net.IPv4(192, 168, 0, 254).To4(), "eth0") }))
	}
	w.expect(w.judge(),
		"fault kubelet master1: --node-ip of the kubelet",
		"fault kubelet master2: VIP 192.168.0.10 is the first address of eth0",
		"fault kubelet master3: the node's name master3 is VIP 192.168.0.10",
	)
}

// again takes a master's own address away, and gives it back.
func again(t *testing.T, m *cluster.Master) {
	t.Helper()
	on(t, m.Host, "eth0", func(l netlink.Link) error {
		a := &netlink.Addr{IPNet: &net.IPNet{IP: m.Addr().AsSlice(), Mask: net.CIDRMask(24, 32)}}
		if err := netlink.AddrDel(l, a); err != nil {
			return err
		}
		return netlink.AddrAdd(l, a)
	})
}

// TestHostKubeletIPv6: what is warned of does happen.
func TestHostKubeletIPv6(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{IPv6: true})
	for _, m := range w.Masters {
		w.start(m.Host, "kubelet", "idle", "--hostname-override="+m.Name())
		set(t, m.Host, "ipv4/ip_forward", "1")
		must(t, m.Do(func() error { return routeVia(cluster.Address(254, true).Addr().AsSlice(), "eth0") }))
	}
	assign(t, w.Masters[0].Host, w.VIP)
	w.expect(w.judge(),
		"fault kubelet master1: VIP fd00:6b::a is the first address of eth0",
		"warning kubelet master2: now fd00:6b::2",
		"warning kubelet master3: now fd00:6b::3",
	)
}

// TestHostKubeProxy: a VIP that is a Service's address, too, and a kube-proxy on a
// host that does not forward.
func TestHostKubeProxy(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	for _, m := range w.Masters[:2] {
		w.start(m.Host, "kube-proxy", "idle", "--proxy-mode=ipvs")
	}
	set(t, w.Masters[0].Host, "ipv4/ip_forward", "0")
	set(t, w.Masters[1].Host, "ipv4/ip_forward", "1")
	must(t, w.Masters[1].Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "kube-ipvs0" // a dummy elsewhere
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "other"}); err != nil {
			return err
		}
		l, err := netlink.LinkByName(attrs.Name)
		if err != nil {
			return err
		}
		return netlink.AddrAdd(l, &netlink.Addr{IPNet: netlink.NewIPNet(w.VIP.AsSlice())})
	}))
	w.expect(w.judge(),
		"warning sysctls master1: ip_forward is 0, and a kubelet or kube-proxy runs here",
		"fault kube-proxy master2: VIP 192.168.0.10 is on kube-ipvs0",
	)
}

// TestHostControlPlane: flags and names that do not fit.
func TestHostControlPlane(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	for _, m := range w.Masters {
		w.furnish(m)
	}
	w.start(w.Masters[0].Host, "kube-apiserver", "idle", "--advertise-address=192.168.0.10", "--etcd-servers=https://127.0.0.1:2379")
	w.plant(w.Masters[1].Host, "/etc/kubernetes/manifests/kube-apiserver.yaml", "- kube-apiserver\n- --bind-address=127.0.0.1\n- --anonymous-auth=false\n")
	w.plant(w.Masters[2].Host, "/etc/kubernetes/manifests/kube-apiserver.yaml", "- kube-apiserver\n- --etcd-servers=https://10.0.0.1:2379,https://10.0.0.2:2379\n")
	w.plant(w.Masters[1].Host, "/etc/hosts", fmt.Sprintf("%s %s\n", w.Masters[0].Addr(), cluster.Name))
	w.plant(w.Masters[2].Host, "/etc/hosts", "")
	w.expect(w.judge(),
		"fault apiserver master1: --advertise-address is VIP 192.168.0.10",
		"fault apiserver master2: --bind-address is 127.0.0.1",
		"fault apiserver master2: --anonymous-auth is false",
		"fault names master2: lb.kubesphere.local is 192.168.0.1",
		"fault names master3: lb.kubesphere.local (/etc/kubernetes/admin.conf) has no address",
		"warning etcd : the API servers use 10.0.0.1:2379, 10.0.0.2:2379: 2",
	)
}
