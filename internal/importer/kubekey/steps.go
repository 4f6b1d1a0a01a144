package kubekey

import (
	"fmt"
	"path"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

const usualManifests = "/etc/kubernetes/manifests"

// steps tells what is to be done so that KubeKey and the cluster use kshalb's VIP.
func (r *reader) steps() {
	vip := plan.SomeVIP
	if len(r.p.VIPs) > 0 {
		vip = r.p.VIPs[0].Address.V.String()
	}
	port := r.p.Listeners[0].Port.V
	manifests := r.end.manifests
	if manifests == "" {
		manifests = usualManifests
	}
	r.step("%s", r.setting(vip, port))
	r.p.Steps = append(r.p.Steps, plan.NewCluster("`kk create cluster`", manifests, r.p.Bootstrap.Given())...)
	switch r.end.balancer {
	case "haproxy":
		r.leaveHAProxy(manifests)
	case "kube-vip":
		r.leaveKubeVIP(manifests, vip, port)
	}
	if r.end.clean {
		r.step("For a cluster that runs: whatever answers for %s now (HAProxy, Keepalived, an appliance) has to let go of it first; kshalb leaves an address to whoever answers for it. `kshalb init` reads haproxy.cfg and keepalived.conf, too.", vip)
	}
	r.reach(vip, port)
	r.certificates(vip)
}

func (r *reader) certificates(vip string) {
	names := vip + r.andDomain()
	if r.end.manifests != "" {
		r.step("The API servers' certificates have to name %s: each server has them as tls-san.", names)
		return
	}
	r.step("For a cluster that runs: the API servers' certificates have to name %s. KubeKey puts the endpoint's address and domain into those that it makes; where they are missing, move apiserver.crt and apiserver.key out of /etc/kubernetes/pki on one master after the other, run `kubeadm init phase certs apiserver` with a configuration that has them in certSANs, and restart its API server.", names)
}

func (r *reader) step(format string, args ...any) {
	r.p.Steps = append(r.p.Steps, fmt.Sprintf(format, args...))
}

// setting is what to write into KubeKey's file.
func (r *reader) setting(vip string, port int) string {
	switch file := r.end.at.File; {
	case r.end.clean:
		return fmt.Sprintf("Leave %s as it is: KubeKey already takes %s, port %d, for a balancer that somebody else runs.", file, vip, port)
	case r.end.v4 && !r.config.Given():
		return fmt.Sprintf(`In KubeKey's config.yaml set spec.kubernetes.control_plane_endpoint to type: local and local: {address: "%s"}.`, vip)
	case r.end.v4:
		return fmt.Sprintf(`In %s set spec.kubernetes.control_plane_endpoint to type: local and local: {address: "%s"}, port: %d.`, file, vip, port)
	case r.end.noHosts:
		return fmt.Sprintf(`In %s set spec.controlPlaneEndpoint to internalLoadbalancer: "" and port: %d; address: "%s" too, unless externalDNS is true.`, file, port, vip)
	default:
		return fmt.Sprintf(`In %s set spec.controlPlaneEndpoint to internalLoadbalancer: "", address: "%s" and port: %d.`, file, vip, port)
	}
}

func (r *reader) leaveHAProxy(manifests string) {
	r.step("For a cluster that runs: on every worker, when the VIP answers, point `server:` in /etc/kubernetes/kubelet.conf at the domain instead of 127.0.0.1, and the same in the ConfigMap kube-proxy of kube-system; then remove %s and /etc/kubekey/haproxy, and restart kubelet.", path.Join(manifests, "haproxy.yaml"))
}

func (r *reader) leaveKubeVIP(manifests, vip string, port int) {
	r.step("For a cluster that runs: before kshalb starts, remove %s on every master, last on the one that holds %s; kshalb leaves the address to whoever answers for it.", path.Join(manifests, "kube-vip.yaml"), vip)
	r.step("Then, on every master, remove what kube-vip may have left: `ip addr show to %s` tells the interface, `ip addr del` takes the address away, and `ipvsadm -D -t %s:%d` the IPVS service.", vip, bracket(vip), port)
}

// bracket is an address in front of a port.
func bracket(addr string) string {
	for _, c := range addr {
		if c == ':' {
			return "[" + addr + "]"
		}
	}
	return addr
}

// reach tells how the nodes find the VIP by its name.
func (r *reader) reach(vip string, port int) {
	if !r.p.Domain.Given() {
		return
	}
	domain := r.p.Domain.V
	switch {
	case r.end.noHosts:
		r.step("Have DNS or /etc/hosts give %s for %s on every node and wherever kubectl runs, before the cluster is made.", vip, domain)
	case r.end.v4:
		r.step("Look at /etc/hosts of every node for `%s %s`: KubeKey writes that line for local.address, but its first releases of version 4 do not know local.address, and take 127.0.0.1 or the first master; have it wherever kubectl calls https://%s:%d.", vip, domain, domain, port)
	default:
		r.step("KubeKey writes `%s %s` into /etc/hosts of the nodes that it makes; on a cluster that runs change that line on every node, and have it wherever kubectl calls https://%s:%d.", vip, domain, domain, port)
	}
}

func (r *reader) andDomain() string {
	if !r.p.Domain.Given() {
		return ""
	}
	return " and " + r.p.Domain.V
}
