package kubeadm

import (
	"fmt"
	"net"
	"strconv"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// steps tells what is to be done so that kubeadm and the cluster use kshalb's VIP.
func (r *reader) steps() {
	vip, host := plan.SomeVIP, plan.SomeVIP
	if len(r.p.VIPs) > 0 {
		vip = r.p.VIPs[0].Address.V.String()
		host = vip
	}
	if r.p.Domain.Given() {
		host = r.p.Domain.V
	}
	call := net.JoinHostPort(host, strconv.Itoa(r.p.Listeners[0].Port.V))
	if r.end.given {
		r.step("Leave controlPlaneEndpoint as it is: %s.", call)
	} else {
		r.step("In ClusterConfiguration set controlPlaneEndpoint: %q, or better a name that DNS or /etc/hosts give %s for.", call, vip)
	}
	if r.p.Domain.Given() {
		r.step("Have DNS or /etc/hosts give %s for %s on every node and wherever kubectl runs, before kubeadm init.", vip, host)
	}
	r.step("The API servers' certificates have to name %s: kubeadm puts the host of controlPlaneEndpoint into those that it makes, and what apiServer.certSANs names. On a cluster that runs, move apiserver.crt and apiserver.key out of /etc/kubernetes/pki on one master after the other, run `kubeadm init phase certs apiserver --config FILE`, and restart its API server.", names(vip, host))
	r.p.Steps = append(r.p.Steps, plan.NewCluster("`kubeadm init`", r.manifests, r.p.Bootstrap.Given())...)
	r.step("For a cluster that runs: whatever answers for %s now has to let go of it before kshalb starts; kshalb leaves an address to whoever answers for it.", vip)
}

func (r *reader) step(format string, args ...any) {
	r.p.Steps = append(r.p.Steps, fmt.Sprintf(format, args...))
}

func names(vip, host string) string {
	if vip == host {
		return vip
	}
	return vip + " and " + host
}
