package doctor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/doctor"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// TestHostHealthy: of masters as kubeadm makes them, with kshalb, nothing is
// complained about: neither on the node that holds the VIP nor on the others.
func TestHostHealthy(t *testing.T) {
	for name, o := range map[string]cluster.Options{"IPv4": {}, "IPv6": {IPv6: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, o)
			for _, m := range w.Masters {
				w.furnish(m)
				w.serve(m)
				must(t, m.Start())
			}
			must(t, w.Masters[0].WaitStatus(labtest.Context(t, limit), func(n status.Node) error {
				if len(n.VIPs) != 1 || n.VIPs[0].Holder == "" {
					return fmt.Errorf("nobody holds the VIP: %+v", n.VIPs)
				}
				return nil
			}))
			found := w.judge()
			w.expect(found)
			w.each(found)
			w.expect(w.judgeOf("backends", "firewall"))
		})
	}
}

// each checks that all topics were told of, of each node.
func (w *ward) each(found []doctor.Finding) {
	w.Helper()
	for _, topic := range hostTopics {
		for _, m := range w.Masters {
			if !slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Topic == topic && (f.Node == "" || f.Node == m.Name()) }) {
				w.Errorf("nothing was said of %s on %s", topic, m.Name())
			}
		}
	}
}

// furnish gives a master what kubeadm does, and a way to other networks.
func (w *ward) furnish(m *cluster.Master) {
	w.Helper()
	w.plant(m.Host, "/etc/hosts", fmt.Sprintf("127.0.0.1 localhost\n%s %s\n%s %s\n", m.Addr(), m.Name(), w.VIP, cluster.Name))
	server := fmt.Sprintf("clusters:\n- cluster:\n    server: https://%s:%d\n", cluster.Name, cluster.Port)
	w.plant(m.Host, "/etc/kubernetes/admin.conf", server)
	w.plant(m.Host, "/etc/kubernetes/kubelet.conf", fmt.Sprintf("    server: https://%s\n", net.JoinHostPort(m.Addr().String(), "6443")))
	w.plant(m.Host, "/var/lib/kubelet/kubeadm-flags.env", `KUBELET_KUBEADM_ARGS="--pod-infra-container-image=registry.k8s.io/pause:3.10"`)
	if m.Addr().Is6() { // where the kubelet has to be told
		w.plant(m.Host, "/etc/default/kubelet", fmt.Sprintf("KUBELET_EXTRA_ARGS=--node-ip=%s\n", m.Addr()))
	}
	w.plant(m.Host, "/etc/kubernetes/manifests/kube-apiserver.yaml", fmt.Sprintf(
		"spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --advertise-address=%s\n    - --etcd-servers=https://127.0.0.1:2379\n    - --secure-port=6443\n    image: registry.k8s.io/kube-apiserver:v1.33.0\n", m.Addr()))
	w.plant(m.Host, "/etc/kubernetes/manifests/etcd.yaml", "spec:\n  containers:\n  - command:\n    - etcd\n    image: registry.k8s.io/etcd:3.5\n")
	must(w.T, m.Do(func() error { return routeVia(cluster.Address(254, m.Addr().Is6()).Addr().AsSlice(), "eth0") }))
}

// routeVia makes a default route.
func routeVia(gateway net.IP, link string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	everywhere := &net.IPNet{IP: make(net.IP, len(gateway)), Mask: make(net.IPMask, len(gateway))}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: everywhere, Gw: gateway})
}

// serve is an API server on a master.
func (w *ward) serve(m *cluster.Master) {
	w.Helper()
	pair, err := m.Certificate(pki.Names{})
	must(w.T, err)
	w.serveWith(m, pair)
}

func (w *ward) serveWith(m *cluster.Master, pair pki.Pair) {
	w.Helper()
	cert, err := pair.TLS()
	must(w.T, err)
	ln, err := m.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	must(w.T, err)
	labtest.Background(w.T, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, m.Name(), cert) })
}

// on runs netlink calls on a host's interface.
func on(t *testing.T, h *lab.Host, link string, do func(l netlink.Link) error) {
	t.Helper()
	must(t, h.Do(func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		return do(l)
	}))
}
