package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

// Cluster is what a drill asks of the kshalb on this host and, through it, of its
// peers. It is safe for concurrent use.
type Cluster interface {
	Status(ctx context.Context) (status.Node, error)
	// Handover has the holder of a VIP give it to a node.
	Handover(ctx context.Context, vip, node string) error
	// Able asks a node whether a fault can befall it and would be undone; nil is yes.
	Able(ctx context.Context, node string, kind fault.Kind) error
	// Inflict has a fault befall a node for hold. It returns when the node has agreed.
	Inflict(ctx context.Context, node string, kind fault.Kind, hold time.Duration) error
}

// Kind is what a round of a drill is about: a handover, or a fault.Kind.
type Kind string

// Handover is planned; the other kinds are faults.
const Handover Kind = "handover"

// Kinds are all of them, in the order in which they are worth trying.
func Kinds() []Kind { return []Kind{Handover, Kind(fault.Kill), Kind(fault.Pause), Kind(fault.Cut)} }

// Unhealthy is a cluster that is not whole: a drill would only do harm.
type Unhealthy struct{ Lacks []string }

// Error names all that is wrong.
func (u *Unhealthy) Error() string {
	return "the cluster is not whole:\n  " + strings.Join(u.Lacks, "\n  ") +
		"\n(kshalb doctor tells more)"
}

// lacks is what is wrong with the cluster as this node sees it, as far as a VIP
// needs it.
func lacks(n status.Node, vip string) (all []string) {
	if !n.Ready {
		all = append(all, fmt.Sprintf("%s is not ready: %s", n.Name, n.Reason))
	}
	v, ok := vipOf(n, vip)
	switch {
	case !ok:
		all = append(all, fmt.Sprintf("%s does not know the VIP %s", n.Name, vip))
	case v.Holder == "":
		all = append(all, "nobody holds "+vip)
	}
	if c := v.Conflict; c != nil {
		all = append(all, fmt.Sprintf("%s is also claimed by %s", vip, c.MAC))
	}
	for _, p := range n.Peers {
		if p.State != "self" && p.State != "alive" {
			all = append(all, fmt.Sprintf("%s is %s", p.Name, p.State))
		}
		if p.Reason != "" {
			all = append(all, p.Name+" "+p.Reason)
		}
	}
	return append(all, unserved(n)...)
}

// unserved are backends that are not up, but for those of which somebody wants it.
func unserved(n status.Node) (all []string) {
	for _, l := range n.Listeners {
		for _, b := range l.Backends {
			if b.State != "up" && b.State != "suspect" && b.Order == nil {
				all = append(all, fmt.Sprintf("backend %s of %s is %s: %s", b.Address, l.Name, b.State, b.Reason))
			}
		}
	}
	return all
}

func vipOf(n status.Node, name string) (status.VIP, bool) {
	i := slices.IndexFunc(n.VIPs, func(v status.VIP) bool { return v.Name == name })
	if i < 0 {
		return status.VIP{}, false
	}
	return n.VIPs[i], true
}

// masters are the nodes that can hold an address, this one last: what befalls it
// befalls its clients, too.
func masters(cfg *config.Config, self string) (names []string) {
	for _, p := range cfg.Cluster.Peers {
		if !p.Witness && p.Name != self {
			names = append(names, p.Name)
		}
	}
	if slices.ContainsFunc(cfg.Cluster.Peers, func(p config.Peer) bool { return p.Name == self && !p.Witness }) {
		names = append(names, self)
	}
	return names
}
