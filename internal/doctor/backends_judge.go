package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/config"
)

// soonExpired is how long before its end a certificate is worth a word.
const soonExpired = 30 * 24 * time.Hour

// sighting is what one node has seen of a backend.
type sighting struct {
	node string
	Backend
}

// judgeBackends compares what the nodes see of each backend.
func judgeBackends(c Case) (all []Finding) {
	seen := make(map[string][]sighting) // by listener and address
	found := make(map[string][]Finding) // by the node that cannot reach one
	var order []string
	for _, node := range c.Nodes() {
		for _, b := range c.Views[node].Backends {
			key := b.Listener + " " + b.Address.String()
			if seen[key] == nil {
				order = append(order, key)
			}
			seen[key] = append(seen[key], sighting{node, b})
		}
	}
	for _, key := range order {
		reach := c.judgeReach(seen[key])
		for _, f := range reach {
			found[f.Node] = append(found[f.Node], f)
		}
		all = append(all, c.judgeShown(seen[key])...)
	}
	for _, node := range c.Nodes() {
		if c.Views[node].Backends != nil {
			all = append(all, orFine(found[node], node, fmt.Sprintf("reaches all of its %d backends", len(c.Views[node].Backends)))...)
		}
	}
	return all
}

// judgeReach says who cannot reach a backend. One that refuses everybody is not
// there yet, or stopped, which is not for the network to mend.
func (c Case) judgeReach(of []sighting) (all []Finding) {
	reached := slices.ContainsFunc(of, func(s sighting) bool { return s.Way == Reached && s.Error == "" })
	for _, s := range of {
		f := Finding{Level: Fault, Node: s.node}
		to := fmt.Sprintf("backend %s of listener %s", s.Address, s.Listener)
		host, port := s.Address.Addr(), s.Address.Port()
		switch {
		case s.Way == Reached && s.Error == "":
			continue
		case s.Way == Reached:
			f.Saw = fmt.Sprintf("%s accepts connections, and does not make a TLS handshake: %s", to, s.Error)
			f.Why = "its health checks fail, so it gets no clients"
			f.Mend = fmt.Sprintf("look at the log of the API server on %s; openssl s_client -connect %s", host, s.Address)
		case s.Way == Refused && !reached:
			f.Level = Warning
			f.Saw = to + " refuses connections: nothing listens there"
			f.Why = "that is in order before the API server is started, and not after"
			f.Mend = fmt.Sprintf("on %s: ss -ltnp 'sport = :%d'; crictl ps -a --name kube-apiserver", host, port)
		case s.Way == Refused:
			f.Saw = to + " refuses connections from here, and not from other nodes"
			f.Why = "this node would send no clients there when it holds the VIP"
			f.Mend = fmt.Sprintf("look for a firewall on %s that rejects: nft list ruleset", host)
		case s.Way == Silent:
			f.Saw = to + " does not answer: packets are dropped on the way, or the host is down"
			f.Why = "this node would send no clients there when it holds the VIP"
			f.Mend = fmt.Sprintf("let TCP port %d through from here to %s (firewall, security group, route): ip route get %s", port, host, host)
		default:
			f.Saw = fmt.Sprintf("%s cannot be reached: %s", to, s.Error)
			f.Why = "this node would send no clients there when it holds the VIP"
			f.Mend = fmt.Sprintf("ip route get %s", host)
		}
		all = append(all, f)
	}
	return all
}

// judgeShown judges the certificate of a backend, once: it is the same for all who
// see it, or else it was changed meanwhile.
func (c Case) judgeShown(of []sighting) []Finding {
	i := slices.IndexFunc(of, func(s sighting) bool { return s.Certificate != nil })
	if i < 0 {
		return nil
	}
	s := of[i]
	node := ""
	if p, ok := c.peerAt(s.Address.Addr()); ok {
		node = p.Name
	}
	return c.judgeCertificate(s, node, c.Views[s.node].Taken)
}

const renewed = "then restart the API server there: mv /etc/kubernetes/manifests/kube-apiserver.yaml /tmp/; sleep 20; mv /tmp/kube-apiserver.yaml /etc/kubernetes/manifests/"

func (c Case) judgeCertificate(s sighting, node string, now time.Time) (all []Finding) {
	cert := s.Certificate
	whose := fmt.Sprintf("the certificate of backend %s", s.Address)
	add := func(level Level, why, mend, format string, args ...any) {
		all = append(all, Finding{Level: level, Node: node, Saw: whose + " " + fmt.Sprintf(format, args...), Why: why, Mend: mend})
	}
	if l := c.lacks(s.Listener, cert); len(l) > 0 {
		add(Fault, fmt.Sprintf("clients that go there refuse it: x509: certificate is valid for %s, not %s", cert.known(), l[0]),
			fmt.Sprintf("add %s to apiServer.certSANs of kubeadm's ClusterConfiguration; on that host: mkdir -p /root/old-certs; mv /etc/kubernetes/pki/apiserver.{crt,key} /root/old-certs/; kubeadm init phase certs apiserver --config FILE; %s",
				strings.Join(l, " and "), renewed), "is not for %s", strings.Join(l, ", "))
	}
	const renew = "on that host: kubeadm certs renew apiserver; " + renewed
	switch left := cert.NotAfter.Sub(now); {
	case left < 0:
		add(Fault, "no client accepts it", renew, "has ended on %s", cert.NotAfter.Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		add(Fault, "no client accepts it before that; more often a clock is wrong", "compare the clocks: timedatectl, on both hosts", "begins only at %s", cert.NotBefore.Format(time.DateTime))
	case left < soonExpired:
		add(Warning, "no client accepts it after that", renew, "ends on %s, in %d days", cert.NotAfter.Format(time.DateOnly), int(left.Hours()/24))
	}
	if cert.Foreign != "" {
		add(Fault, "health checks refuse it, and the backend gets no clients", "see which CA has issued it: openssl s_client -showcerts -connect "+s.Address.String()+"; check.caFile names the CA that is believed", "is not of the CA that is believed: %s", cert.Foreign)
	}
	if len(all) == 0 {
		add(Fine, "", "", "is for all names, until %s", cert.NotAfter.Format(time.DateOnly))
	}
	return all
}

// lacks are the names and addresses that clients of a listener ask for, and that a
// certificate of its backends is not for. Of other backends than API servers
// nobody knows.
func (c Case) lacks(listener string, cert *Certificate) (all []string) {
	for _, l := range c.Config.Listeners {
		if l.Name != listener || l.Check.Type != config.CheckHTTPS || l.Check.Path != "/readyz" && l.Check.Path != "/livez" {
			continue
		}
		var vips []netip.Addr
		if l.VIP != "" {
			vips = append(vips, l.Address.Addr())
		}
		all = append(all, cert.lacks(vips, c.domains())...)
	}
	return all
}

// domains are the names of the control plane: those that somebody asked about, and
// those that mean a VIP on some node.
func (c Case) domains() (all []string) {
	for _, node := range c.Nodes() {
		n := c.Views[node].Names
		if n == nil {
			continue
		}
		for _, name := range n.Names {
			if slices.Contains(name.From, asked) || slices.ContainsFunc(name.Addresses, c.isServed) {
				all = append(all, name.Name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
