package kubevip

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

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
		r.p.Note(plan.Changed, lb.at, "lb_enable", "IPVS in the kernel of the holder, where kube-proxy's own may get in its way; kshalb relays connections by itself, to API servers whose /readyz is well")
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
