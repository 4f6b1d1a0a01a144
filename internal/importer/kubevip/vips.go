package kubevip

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

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
