package ansible

import (
	"fmt"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// steps tells what is to be done so that the installer and the cluster use
// kshalb's VIP.
func (r *reader) steps() {
	vip, port := plan.SomeVIP, r.p.Listeners[0].Port.V
	if len(r.p.VIPs) > 0 {
		vip = r.p.VIPs[0].Address.V.String()
	}
	command, file := "the installer's install.sh", r.vars.at.File
	if r.kubespray() {
		command = "kubespray's cluster.yml"
	}
	switch {
	case file != "":
	case r.kubespray():
		file = "group_vars/all/all.yml"
	default:
		file = "conf/vars.yml (conf/common.yaml since 2.1)"
	}
	r.step("In %s have loadbalancer_apiserver: not commented out, and under it, indented by two blanks, address: %s and port: %d.", file, vip, port)
	r.p.Steps = append(r.p.Steps, plan.NewCluster(command, "/etc/kubernetes/manifests", r.p.Bootstrap.Given())...)
	r.step("For a cluster that runs: whatever answers for %s now (HAProxy, Keepalived, kube-vip, an appliance) has to let go of it before kshalb starts; kshalb leaves an address to whoever answers for it. `kshalb init` reads haproxy.cfg and keepalived.conf, too.", vip)
	r.step("The API servers' certificates have to name %s and %s. The installer puts both into those that it makes; where they are missing on a cluster that runs, move apiserver.crt and apiserver.key out of /etc/kubernetes/pki (/etc/kubernetes/ssl with kubespray) on one master after the other, run `kubeadm init phase certs apiserver` with a configuration that has them in certSANs, and restart its API server.", vip, r.p.Domain.V)
	r.step("See that nothing else answers for %s, and that the firewall lets clients to port %d; kshalb doctor looks.", vip, port)
	r.step("The installer writes `%s %s` into /etc/hosts of the nodes that it makes; on a cluster that runs change that line on every node, and have it wherever kubectl calls https://%s:%d.", vip, r.p.Domain.V, r.p.Domain.V, port)
}

func (r *reader) step(format string, args ...any) {
	r.p.Steps = append(r.p.Steps, fmt.Sprintf(format, args...))
}
