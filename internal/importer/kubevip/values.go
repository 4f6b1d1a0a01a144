package kubevip

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

const (
	defaultPort = 6443
	tellVIP     = "tell the VIP with --vip"
)

// valued are the variables that values are made of.
var valued = []string{
	"address", "vip_address", "vip_interface", "port", "lb_enable", "lb_port", "lb_backendport", "lb_backends", "lb_fwdmethod", "vip_arp", "vip_arpRate",
	"vip_subnet", "vip_cidr", "vip_ddns", "cp_enable", "backend_health_check_interval", "vip_localpeer", "vip_peers", "vip_remotepeers", "config_file",
}

// instance makes VIPs and listeners of a kube-vip, or compares it with one for
// the same address.
func (r *reader) instance(i *instance) {
	r.services = r.services || i.on("svc_enable")
	r.peers(i)
	for _, first := range r.done {
		if i.address().Text() == first.address().Text() {
			r.differs(first, i)
			return
		}
	}
	r.done = append(r.done, i)
	r.grouped(i, valued)
	if file, given := i.set["config_file"]; given {
		r.p.Note(plan.Fault, file.at, "a configuration file", "kube-vip reads more from there, which is not looked at here; tell what matters by flags of `kshalb init`")
	}
	r.switches(i)
	if !r.serves(i) {
		return
	}
	vips := r.vips(i)
	r.loadBalanc = r.loadBalanc || i.on("lb_enable")
	l := r.listener(i)
	if len(vips) == 0 {
		r.p.Listeners = append(r.p.Listeners, l)
	}
	for _, v := range vips {
		r.p.VIPs = append(r.p.VIPs, v)
		l.Address = v.Address
		r.p.Listeners = append(r.p.Listeners, l)
	}
}

// address is where the VIP stands: in address, or in its older name.
func (i *instance) address() setting {
	if a := i.set["address"]; a.Given() {
		return a
	}
	return i.set["vip_address"]
}

// serves reports whether the control plane is served at all.
func (r *reader) serves(i *instance) bool {
	cp, given := i.set["cp_enable"]
	switch {
	case i.on("cp_enable") || !given && i.mode == "start":
		return true
	case !given:
		r.p.Note(plan.Fault, i.at, "no cp_enable", "kube-vip serves no control plane without it; the rest was read as if it were \"true\"")
		return true
	default:
		r.p.Note(plan.Fault, cp.at, "cp_enable is not true", "this kube-vip serves no control plane, and nothing of it was taken over; it can stay beside kshalb for Services")
		return false
	}
}

// booleans are the switches that something follows from here.
var booleans = []string{"cp_enable", "svc_enable", "lb_enable", "vip_arp", "vip_ddns", "bgp_enable", "vip_routingtable", "vip_wireguard", "enable_node_labeling"}

// switches notes how addresses are announced and got.
func (r *reader) switches(i *instance) {
	for _, name := range booleans {
		s, given := i.set[name]
		if _, ok := yamlnode.Bool(s.Node); given && !ok {
			r.p.Note(plan.Fault, s.at, name+" "+yamlnode.Shown(s.Node), "is neither true nor false, which kube-vip stops at; it was taken as false")
		}
	}
	arp, given := i.set["vip_arp"]
	switch {
	case i.on("vip_arp"):
		r.p.Note(plan.Needless, arp.at, "vip_arp", "kshalb always announces the VIP by ARP and NDP")
	case given:
		r.p.Note(plan.Changed, arp.at, "vip_arp is not true", "kshalb announces the VIP by ARP and NDP whatever kube-vip did: the masters have to be in one network, without routers between them")
	}
	if ddns, given := i.set["vip_ddns"]; given && i.on("vip_ddns") {
		r.p.Note(plan.Fault, ddns.at, "vip_ddns", "the address comes from DHCP; kshalb's is fixed, so reserve one outside of DHCP's range and "+tellVIP)
	} else if given {
		r.p.Note(plan.Needless, ddns.at, "vip_ddns", "it is off")
	}
	for _, name := range []string{"vip_subnet", "vip_cidr"} {
		if s, given := i.set[name]; given {
			r.subnet(name, s)
		}
	}
}

func (r *reader) subnet(name string, s setting) {
	for part := range strings.SplitSeq(s.Text(), ",") {
		if p := strings.TrimPrefix(strings.TrimSpace(part), "/"); p != "32" && p != "128" {
			r.p.Note(plan.Changed, s.at, name+" "+yamlnode.Shown(s.Node), "kshalb always adds the address alone, /32 or /128, so that no route comes and goes with it")
			return
		}
	}
	r.p.Note(plan.Needless, s.at, name, "kshalb always adds the address alone, /32 or /128")
}

// vips are those of the addresses, which may be several with commas.
func (r *reader) vips(i *instance) []plan.VIP {
	s := i.address()
	if s.Text() == "" {
		at := s.at
		if at == (plan.Source{}) {
			at = i.at
		}
		r.p.Note(plan.Fault, at, "no address", "there is no VIP; "+tellVIP)
		return nil
	}
	if old := i.set["vip_address"]; old.Given() && old.Text() != s.Text() {
		r.p.Note(plan.Fault, old.at, "vip_address beside address", fmt.Sprintf("they differ, and releases of kube-vip do as to which holds; address (%s) was taken", s.at))
	}
	var vips []plan.VIP
	parts := strings.Split(s.Text(), ",")
	for _, part := range parts {
		bare, _, mask := strings.Cut(strings.TrimSpace(part), "/")
		addr, ok := yamlnode.Addr(bare)
		switch {
		case ok && yamlnode.Floats(addr):
			why := ""
			if mask || len(parts) > 1 {
				why = "of " + yamlnode.Shown(s.Node)
			}
			vips = append(vips, plan.VIP{Address: plan.Because(addr, s.at, why), Interface: r.iface(i), Refresh: r.refresh(i)})
		case yamlnode.IsDomain(bare):
			r.p.Domain = plan.Of(strings.TrimSuffix(bare, "."), s.at)
			r.p.Note(plan.Fault, s.at, "address "+yamlnode.Shown(s.Node), "is a name, which kube-vip resolves; kshalb's VIP is an address: "+tellVIP)
		default:
			r.p.Note(plan.Fault, s.at, "address "+yamlnode.Shown(s.Node), "is no address that could float between masters; "+tellVIP)
		}
	}
	return vips
}

var ifaceRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`)

// iface is where the address is added, if it can be.
func (r *reader) iface(i *instance) plan.Value[string] {
	s, given := i.set["vip_interface"]
	switch {
	case !given || s.Text() == "":
	case s.Text() == "lo":
		r.p.Note(plan.Changed, s.at, "vip_interface lo", "that goes with BGP and routes; kshalb needs an interface in the masters' network, and finds it by its route")
	case !ifaceRule.MatchString(s.Text()):
		r.p.Note(plan.Fault, s.at, "vip_interface "+yamlnode.Shown(s.Node), "is no name of an interface; kshalb finds it by its route")
	default:
		return plan.Of(s.Text(), s.at)
	}
	return plan.Value[string]{}
}

// The range of a VIP's refresh, and of a check's interval.
const (
	minRefresh, maxRefresh   = time.Second, 10 * time.Minute
	minInterval, maxInterval = 100 * time.Millisecond, time.Hour
)

// refresh is how often the address is announced.
func (r *reader) refresh(i *instance) plan.Value[time.Duration] {
	s, given := i.set["vip_arpRate"]
	if !given {
		return plan.Value[time.Duration]{}
	}
	ms, err := strconv.ParseInt(s.Text(), 10, 32)
	if err != nil || ms <= 0 {
		r.p.Note(plan.Fault, s.at, "vip_arpRate "+yamlnode.Shown(s.Node), "is no number of milliseconds; kshalb's default was taken")
		return plan.Value[time.Duration]{}
	}
	return clipped(r, time.Duration(ms)*time.Millisecond, minRefresh, maxRefresh, s, "vip_arpRate")
}

// clipped brings a duration into the range that kshalb takes, and says so.
func clipped(r *reader, d, low, high time.Duration, s setting, name string) plan.Value[time.Duration] {
	if in := min(max(d, low), high); in != d {
		r.p.Note(plan.Changed, s.at, fmt.Sprintf("%s %s", name, d), fmt.Sprintf("kshalb takes %s to %s; %s was taken", low, high, in))
		return plan.Because(in, s.at, fmt.Sprintf("%s, brought into range", d))
	}
	return plan.Because(d, s.at, name)
}

// listener is where clients connect and where the API servers listen.
func (r *reader) listener(i *instance) plan.Listener {
	server := r.port(i, "port", "port of the API servers")
	l := plan.Listener{Port: server, PeersPort: server}
	lb, given := i.set["lb_enable"]
	if i.on("lb_enable") {
		l.Port = r.port(i, "lb_port", "lb_port, as lb_enable is on")
		if i.set["lb_backendport"].Given() {
			l.Port, l.PeersPort = server, r.port(i, "lb_backendport", "lb_backendport")
		}
		r.p.Note(plan.Changed, lb.at, "lb_enable", "IPVS in the kernel of the holder, without checks of its own and in kube-proxy's way; kshalb relays connections and asks each API server for /readyz")
		r.forwarding(i)
		if s, given := i.set["backend_health_check_interval"]; given {
			l.Check.Interval = r.interval(s)
		}
	} else {
		r.off(i)
		at := lb.at
		if !given {
			at = i.at
		}
		r.p.Note(plan.Changed, at, "lb_enable is not true", "kube-vip leaves all connections to the API server of the holder; kshalb spreads them over those of all masters")
	}
	if s, given := i.set["lb_backends"]; given {
		r.p.Note(plan.Changed, s.at, "lb_backends", "kshalb's backends are its peers, the masters; write backends.addresses if they are others")
	}
	if r.flavour != "" {
		l.Check.Expect = plan.Because([]int{200, 401}, i.at, r.flavour+" has anonymous-auth off, so that /readyz answers 401")
	}
	return l
}

// off notes the settings of a balancer that is off.
func (r *reader) off(i *instance) {
	names := slices.DeleteFunc([]string{"lb_port", "lb_backendport", "lb_fwdmethod", "backend_health_check_interval"}, func(n string) bool { return !i.set[n].Given() })
	if len(names) > 0 {
		r.p.Note(plan.Needless, i.set[names[0]].at, yamlnode.Words(names), "without lb_enable it does nothing")
	}
}

func (r *reader) forwarding(i *instance) {
	if s, given := i.set["lb_fwdmethod"]; given {
		r.p.Note(plan.Changed, s.at, "lb_fwdmethod "+yamlnode.Shown(s.Node), "kshalb connects to API servers by itself, from its node's address (source: node); they see that one")
	}
}

func (r *reader) interval(s setting) plan.Value[time.Duration] {
	seconds, err := strconv.ParseInt(s.Text(), 10, 32)
	if err != nil || seconds <= 0 {
		r.p.Note(plan.Fault, s.at, "backend_health_check_interval "+yamlnode.Shown(s.Node), "is no number of seconds; kshalb's default was taken")
		return plan.Value[time.Duration]{}
	}
	return clipped(r, time.Duration(seconds)*time.Second, minInterval, maxInterval, s, "backend_health_check_interval")
}

func (r *reader) port(i *instance, name, why string) plan.Value[int] {
	s, given := i.set[name]
	if !given {
		return plan.Because(defaultPort, i.at, "kube-vip's default of "+name)
	}
	port, ok := yamlnode.Port(s.Node)
	if !ok {
		r.p.Note(plan.Fault, s.at, name+" "+yamlnode.Shown(s.Node), fmt.Sprintf("is no port from 1 to 65535; %d was taken", defaultPort))
		return plan.Because(defaultPort, s.at, "kube-vip's default of "+name)
	}
	return plan.Because(port, s.at, why)
}

// peers takes masters from the raft of old releases, ID:ADDRESS:PORT each.
func (r *reader) peers(i *instance) {
	for _, name := range []string{"vip_localpeer", "vip_peers", "vip_remotepeers"} {
		s := i.set[name]
		for part := range strings.SplitSeq(s.Text(), ",") {
			id, rest, _ := strings.Cut(strings.TrimSpace(part), ":")
			end := strings.LastIndexByte(rest, ':')
			addr, ok := yamlnode.Addr(strings.Trim(rest[:max(end, 0)], "[]"))
			switch {
			case part == "":
			case !ok || !yamlnode.IsName(id):
				r.p.Note(plan.Fault, s.at, name, "has a peer that is not NAME:ADDRESS:PORT; tell the masters with --masters")
			default:
				r.peer(id, addr, s)
			}
		}
	}
}

func (r *reader) peer(id string, addr netip.Addr, s setting) {
	for _, p := range r.p.Peers {
		if p.Address.V == addr || p.Name.V == id || len(r.p.Peers) >= maxInstances {
			return
		}
	}
	r.p.Peers = append(r.p.Peers, plan.Peer{Name: plan.Of(id, s.at), Address: plan.Of(addr, s.at)})
}
