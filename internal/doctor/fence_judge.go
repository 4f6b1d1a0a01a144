package doctor

import (
	"fmt"
	"strings"
	"time"
)

// judgeFence finds kernels on which a node that has lost its lease might not fall
// silent in time.
func judgeFence(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		f := c.Views[node].Fence
		switch {
		case f == nil:
		case !c.holds(node):
			all = append(all, Finding{Level: Fine, Node: node, Saw: "this node holds no VIP; Linux " + f.Kernel})
		default:
			all = append(all, orFine(append(f.judgeKernel(), f.judgeLayers()...), node, f.String())...)
		}
	}
	return all
}

const modules = "modprobe -a nf_tables nft_chain_nat nft_nat nft_fib_inet; to have it at each start: printf '%s\\n' nf_tables nft_chain_nat nft_nat nft_fib_inet > /etc/modules-load.d/kshalb.conf"

func (f Fence) judgeKernel() []Finding {
	t := f.Timed
	switch {
	case f.Lacks != "":
		return []Finding{{Level: Warning, Saw: fmt.Sprintf("Linux %s here has no fence: %s", f.Kernel, f.Lacks),
			Why:  "only the lifetime of the address, in whole seconds, silences a node that has lost its lease: the others wait for that, and a failover takes some 3 s in place of half a second; a VIP's port is not redirected either",
			Mend: modules}}
	case !t.Opened:
		return []Finding{{Level: Fault, Saw: fmt.Sprintf("a timed entry of nf_tables did not open its fence (Linux %s)", f.Kernel),
			Why:  "behind such a fence a VIP never answers",
			Mend: "use another kernel; report this one with the output of uname -a"}}
	case !t.Closed || t.Ended > t.Timeout:
		return []Finding{{Level: Fault, Saw: fmt.Sprintf("an entry of nf_tables with a timeout of %v was still at work %v after it was put there (Linux %s)", t.Timeout, t.Ended.Round(time.Millisecond), f.Kernel),
			Why:  "a node that is cut off may answer for a VIP that another node has by then",
			Mend: "use another kernel; report this one with the output of uname -a"}}
	case f.Egress != "":
		return []Finding{{Level: Warning, Saw: fmt.Sprintf("Linux %s has no egress hook: %s", f.Kernel, f.Egress),
			Why:  "announcements of a VIP are guarded by kshalb's own timer alone: one that is frozen at the wrong instant may send a late one",
			Mend: "use Linux 5.16 or newer with CONFIG_NETFILTER_EGRESS"}}
	}
	return nil
}

// judgeLayers is about what a kshalb that runs says of its own fence.
func (f Fence) judgeLayers() (found []Finding) {
	if f.Lacks != "" {
		return nil
	}
	for _, vip := range sortedKeys(f.Layers) {
		for _, layer := range f.Layers[vip] {
			if layer.Layer == "kernel" && layer.Reason != "" && f.Egress == "" {
				found = append(found, Finding{Level: Warning, Saw: fmt.Sprintf("the fence of VIP %s lacks something: %s", vip, layer.Reason),
					Why: "another layer has to silence this node when it has lost its lease", Mend: "kshalb status shows all layers; " + modules})
			}
		}
	}
	return found
}

// String is what was seen where all is well.
func (f Fence) String() string {
	how := "a timed entry of nf_tables let packets pass, and stopped them"
	if !f.Apart {
		how = "a timed entry of nf_tables went away"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Linux %s: %s after %v of %v", f.Kernel, how, f.Timed.Ended.Round(time.Millisecond), f.Timed.Timeout)
	switch {
	case f.Persist:
		text.WriteString("; nobody else can flush the fence")
	case f.Owner:
		text.WriteString("; before Linux 6.9 others can flush the fence, which kshalb then mends")
	}
	var active []string
	for _, vip := range sortedKeys(f.Layers) {
		for _, layer := range f.Layers[vip] {
			if layer.Active {
				active = append(active, layer.Layer)
			}
		}
		if len(active) > 0 {
			fmt.Fprintf(&text, "; VIP %s: %s", vip, strings.Join(active, ", "))
		}
		active = nil
	}
	return text.String()
}
