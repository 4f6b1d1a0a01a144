package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Etcd is whether a member of etcd runs on a host.
type Etcd struct {
	Where string `json:"where,omitempty"` // its process, or its manifest; "": there is none
}

func lookEtcd(_ context.Context, l *Looker, v *View) error {
	_, where, err := l.component("etcd")
	if err != nil {
		return err
	}
	v.Etcd = &Etcd{where}
	return nil
}

// judgeEtcd counts the members of etcd: an even number bears no more losses than
// one less. What each was started with does not tell: kubeadm gives the first
// member one name, the second two, and so on.
func judgeEtcd(c Case) []Finding {
	var members, unseen []string
	looked := false
	for _, node := range c.Nodes() {
		if e := c.Views[node].Etcd; e != nil {
			looked = true
			if e.Where != "" {
				members = append(members, node)
			}
		}
	}
	if !looked {
		return nil
	}
	for _, p := range c.Config.Cluster.Peers {
		if c.Views[p.Name].Etcd == nil && !p.Witness {
			unseen = append(unseen, p.Name)
		}
	}
	if outside := c.outsideEtcd(); len(outside) > 0 {
		return []Finding{judgeMembers(len(outside), "the API servers use "+strings.Join(outside, ", "))}
	}
	switch {
	case len(unseen) > 0:
		return []Finding{{Level: Unseen, Saw: fmt.Sprintf("etcd runs on %s; whether on %s was not seen",
			orNone(members), strings.Join(unseen, ", "))}}
	case len(members) == 0:
		return []Finding{{Level: Fine, Saw: "no member of etcd runs on a peer"}}
	}
	return []Finding{judgeMembers(len(members), "etcd runs on "+strings.Join(members, ", "))}
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func judgeMembers(n int, saw string) Finding {
	f := Finding{Level: Fine, Saw: fmt.Sprintf("%s: %d, of which %d may fail", saw, n, (n-1)/2)}
	if n%2 == 0 {
		f.Level = Warning
		f.Why = fmt.Sprintf("an even number bears no more losses than %d, and has more that can fail; without a majority the API servers do not serve, VIP or not", n-1)
		f.Mend = "add a member or remove one (etcdctl member list shows them)"
	}
	return f
}

// outsideEtcd is what the API servers use where that is not a member on their own
// host.
func (c Case) outsideEtcd() (servers []string) {
	for _, node := range c.Nodes() {
		a := c.Views[node].APIServer
		if a == nil || len(a.Etcd) < 2 {
			continue
		}
		for _, at := range a.Etcd {
			host, _, _ := net.SplitHostPort(at) // it was joined so
			if ip, err := netip.ParseAddr(host); (err != nil || !ip.IsLoopback()) && !slices.Contains(servers, at) {
				servers = append(servers, at)
			}
		}
	}
	slices.Sort(servers)
	return servers
}
