package ansible

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

const (
	defaultDomain   = "lb.kubesphere.local"           // roles/kubesphere-defaults of ks-installer
	kubesprayDomain = "lb-apiserver.kubernetes.local" // roles/kubespray-defaults
	defaultPort     = 6443
	sampleAddress   = "1.2.3.4"         // in kubespray's all.yml, commented out
	sampleDomain    = "elb.some.domain" // there, too
)

// at is where the balancer is told of.
func (r *reader) at() plan.Source {
	for _, at := range []plan.Source{r.vars.at, r.values[addressKey].From, r.values[endpointKey].From} {
		if at.Line > 0 {
			return at
		}
	}
	return r.first
}

// balancer is the VIP and its listener.
func (r *reader) balancer() {
	r.endpoint()
	r.domain()
	vip := r.vip()
	servers := r.port(apiPortKey, plan.Because(defaultPort, r.at(), "the usual port of API servers"))
	clients := r.port(portKey, plan.Because(servers.V, servers.From, "no port of the balancer is told: that of the API servers"))
	r.p.Listeners = []plan.Listener{{Address: vip, Port: clients, PeersPort: servers}}
	for _, key := range []string{servicesKey, podsKey} {
		if v := r.values[key]; v.Given() {
			kube.Networks(&r.p, yamlnode.Text(v.V, v.From), key)
		}
	}
	r.local()
	r.bind()
	r.kubeVIP(vip)
}

// endpoint takes kubespray's newer variable for those that are not told.
func (r *reader) endpoint() {
	v := r.values[endpointKey]
	if !v.Given() {
		return
	}
	u, err := url.Parse(v.V)
	if err != nil || u.Host == "" {
		r.note(plan.Fault, v.From, endpointKey, "it is to be https://HOST:PORT; it is left out")
		return
	}
	host := domainKey
	if _, ok := yamlnode.Addr(u.Hostname()); ok {
		host = addressKey
	}
	for _, part := range [][2]string{{host, u.Hostname()}, {portKey, u.Port()}} {
		key, text := part[0], part[1]
		switch have := r.values[key]; {
		case text == "":
		case !have.Given():
			r.values[key] = plan.Because(text, v.From, endpointKey)
		case have.V != text:
			r.note(plan.Changed, v.From, endpointKey, fmt.Sprintf("%s says otherwise (%s), which holds", have.From, key))
		}
	}
}

func (r *reader) domain() {
	v := r.values[domainKey]
	if v.Given() && !yamlnode.IsDomain(v.V) {
		r.note(plan.Fault, v.From, domainKey, "it is no name of the DNS; the installer's default was taken")
		v = plan.Value[string]{}
	}
	if !v.Given() {
		v = plan.Because(r.usualDomain(), r.at(), "the installer's default")
		if s := r.vars.sample; s.Given() && yamlnode.IsDomain(s.V) && s.V != v.V {
			r.note(plan.Changed, s.From, domainKey+" is commented out", "the installer's default holds, "+v.V+"; take the # away where the other name is meant")
		}
	}
	r.p.Domain = v
}

// usualDomain is that of kubespray, which calls the group of masters otherwise
// than KubeSphere's installer, or of the latter.
func (r *reader) usualDomain() string {
	if r.kubespray() {
		return kubesprayDomain
	}
	return defaultDomain
}

func (r *reader) kubespray() bool {
	return slices.ContainsFunc(r.inventory.names, func(name string) bool { return strings.Contains(name, "control") })
}

// vip is the balancer's address, if it can float.
func (r *reader) vip() (vip plan.Value[netip.Addr]) {
	v := r.values[addressKey]
	if v.V == sampleAddress {
		v = plan.Value[string]{}
		r.note(plan.Fault, r.values[addressKey].From, addressKey, "it is kubespray's sample, and nobody's address; tell the VIP by --vip")
	}
	if !v.Given() {
		v = r.values[kubeVIPAddr]
	}
	if !v.Given() {
		r.noAddress()
		return vip
	}
	text := strings.TrimSuffix(strings.TrimPrefix(v.V, "["), "]")
	a, ok := yamlnode.Addr(text)
	i := slices.IndexFunc(r.p.Peers, func(p plan.Peer) bool { return p.Address.Given() && p.Address.V == a })
	switch {
	case !ok || !yamlnode.Floats(a):
		r.note(plan.Fault, v.From, "address of "+balancerKey, "it is no IP address that can be a host's; tell the VIP by --vip")
	case i >= 0:
		r.note(plan.Fault, v.From, "address of "+balancerKey, fmt.Sprintf("%s is a master's own address (%s), which goes down with it; choose a free one of the same network, here and by --vip", a, r.p.Peers[i].Address.From))
	default:
		vip = plan.Because(a, v.From, v.Why)
		r.p.VIPs = []plan.VIP{{Address: vip}}
	}
	return vip
}

func (r *reader) noAddress() {
	if r.values[addressKey].Given() || slices.ContainsFunc(r.p.Notes, func(n plan.Note) bool { return n.What == addressKey }) {
		return // it is said
	}
	r.note(plan.Fault, r.at(), balancerKey+" has no address", "no file that was given tells the address of the balancer: give vars.yml or common.yaml too, or --vip ADDRESS")
}

// port is a variable as a port, or what else holds.
func (r *reader) port(key string, instead plan.Value[int]) plan.Value[int] {
	v := r.values[key]
	if !v.Given() {
		return instead
	}
	n, err := strconv.Atoi(v.V)
	if err != nil || n < 1 || n > 65535 {
		r.note(plan.Fault, v.From, key, fmt.Sprintf("it is no number from 1 to 65535; %d was taken", instead.V))
		return instead
	}
	return plan.Because(n, v.From, v.Why)
}

// yes reports whether a variable is true, as Ansible has it.
func (r *reader) yes(key string) bool {
	return slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(r.values[key].V))
}

// local is the balancer that the installer runs on each worker.
func (r *reader) local() {
	if r.yes(localKey) {
		r.note(plan.Changed, r.values[localKey].From, localKey, "the installer runs a balancer on each worker; set it to false for them to use the address, or have kshalb there: kshalb manifest --role node")
	}
}

// bind is where API servers listen.
func (r *reader) bind() {
	v := r.values[apiBindKey]
	a, ok := yamlnode.Addr(v.V)
	switch {
	case !v.Given() || ok && (a.IsUnspecified() || a == r.vipAddr()):
	case ok && a.IsLoopback():
		r.note(plan.Fault, v.From, apiBindKey, "an API server that listens on its own host only is no backend of the other masters; leave it out")
	default:
		r.note(plan.Needless, v.From, apiBindKey, "kshalb needs no port of its own, and serves beside an API server that listens on all addresses; see that each master has an address of its own there")
	}
	if v.Given() && ok && a == r.vipAddr() {
		r.note(plan.Fault, v.From, apiBindKey, "it is the VIP, which one master has at a time; leave it out")
	}
}

func (r *reader) vipAddr() netip.Addr {
	if len(r.p.VIPs) == 0 {
		return netip.Addr{}
	}
	return r.p.VIPs[0].Address.V
}

var linkRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,14}$`)

// kubeVIP is what kubespray would run for the same address.
func (r *reader) kubeVIP(vip plan.Value[netip.Addr]) {
	if r.yes(kubeVIPKey) {
		r.note(plan.Fault, r.values[kubeVIPKey].From, kubeVIPKey, "kubespray would run kube-vip for the same address, and two answer for it: set it to false, and keep loadbalancer_apiserver")
	}
	if a := r.values[kubeVIPAddr]; a.Given() && vip.Given() && a.V != vip.V.String() {
		r.note(plan.Changed, a.From, kubeVIPAddr, fmt.Sprintf("%s says otherwise, which holds", vip.From))
	}
	switch link := r.values[kubeVIPLink]; {
	case !link.Given():
	case !linkRule.MatchString(link.V):
		r.note(plan.Fault, link.From, kubeVIPLink, "it is no name of an interface; it is left out")
	case len(r.p.VIPs) == 0:
		r.note(plan.Lost, link.From, kubeVIPLink, "there is no VIP for it yet; tell both by --vip and --interface")
	default:
		r.p.VIPs[0].Interface = plan.Of(link.V, link.From)
	}
}
