package kubevip

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// steps tells how kube-vip makes room for kshalb, which comes when it is gone.
func (r *reader) steps() {
	if len(r.p.Listeners) == 0 {
		return
	}
	r.step("Have kshalb's configuration and key on every master; do not start it yet: it does not start on the host that has the VIP, and on another one it would silence a VIP that kube-vip brings there. The API servers stay reachable at their own addresses all the time.")
	r.remove()
	r.leftovers()
	if r.superAdmin {
		r.step("Where kubeadm's manifests or scripts changed the mount of kube-vip from admin.conf to super-admin.conf for the first master (`sed`), take that out: kshalb mounts neither.")
	}
	r.step("Then put kshalb's static pod on every master (`kshalb manifest`), and see with `kshalb status` who holds the VIP.")
	if !r.services {
		r.step("When all is well, delete what is left of kube-vip in the cluster: its Lease plndr-cp-lock in kube-system, its ServiceAccount, ClusterRole and ClusterRoleBinding.")
	}
	if r.p.Domain.Given() {
		r.step("Have DNS or /etc/hosts give the VIP for %s.", r.p.Domain.V)
	}
}

func (r *reader) step(format string, args ...any) {
	step := fmt.Sprintf(format, args...)
	if !slices.Contains(r.p.Steps, step) {
		r.p.Steps = append(r.p.Steps, step)
	}
}

// remove takes kube-vip away, or only its part in the control plane.
func (r *reader) remove() {
	for _, i := range r.done {
		namespace, name := i.namespace, i.name
		if !yamlnode.IsName(namespace) {
			namespace = "kube-system"
		}
		if !yamlnode.IsName(name) {
			name = "NAME"
		}
		kind := strings.ToLower(i.kind)
		switch {
		case i.on("svc_enable") && i.kind == "Pod":
			r.step("It serves Services as well: on every master, last on the one that holds the VIP, set cp_enable to \"false\" in its manifest and take address, lb_enable and lb_port out; kubelet starts it anew.")
		case i.on("svc_enable"):
			r.step("It serves Services as well: `kubectl -n %s edit %s %s`, set cp_enable to \"false\" and take address, lb_enable and lb_port out.", namespace, kind, name)
		case i.kind == "Pod":
			r.step("On every master, last on the one that holds the VIP, move kube-vip's manifest out of the folder of static pods (/etc/kubernetes/manifests/kube-vip.yaml, with k3s /var/lib/rancher/k3s/agent/pod-manifests), not to another name in it: kubelet reads every file there.")
		default:
			r.step("`kubectl -n %s delete %s %s`, at a master's own address rather than the VIP.", namespace, kind, name)
		}
	}
}

// leftovers are addresses and rules that kube-vip may leave behind.
func (r *reader) leftovers() {
	for n, v := range r.p.VIPs {
		addr := v.Address.V
		link := "INTERFACE"
		if v.Interface.Given() {
			link = v.Interface.V
		}
		r.step("On every master, take %s away where kube-vip left it: `ip addr show to %s`, then `ip addr del %s/%d dev %s`.", addr, addr, addr, addr.BitLen(), link)
		if r.loadBalanc && n < len(r.p.Listeners) {
			r.step("And its IPVS service: `ipvsadm -Ln`, then `ipvsadm -D -t %s`.", net.JoinHostPort(addr.String(), strconv.Itoa(r.p.Listeners[n].Port.V)))
		}
	}
}
