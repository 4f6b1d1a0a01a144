package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// topic is one thing to look at and to judge.
type topic struct {
	name string
	// look fills the topic's part of a view. An error is why it could not.
	// Topics look at the same time, so each touches its own part only.
	look func(ctx context.Context, l *Looker, v *View) error
	// judge says what the views mean. Every node that gave this part gets at least
	// one finding; those for which it is in Unseen are told without it.
	judge func(c Case) []Finding
}

// topics are all of them, in the order in which they are told.
func topics() []topic {
	return []topic{
		{"configuration", lookConfiguration, judgeConfiguration},
		{"sysctls", lookSysctls, judgeSysctls},
		{"names", lookNames, judgeNames},
		{"leftovers", lookLeftovers, judgeLeftovers},
		{"limits", lookLimits, judgeLimits},
		{"kubelet", lookKubelet, judgeKubelet},
		{"kube-proxy", lookKubeProxy, judgeKubeProxy},
		{"apiserver", lookAPIServer, judgeAPIServer},
		{"etcd", lookEtcd, judgeEtcd},
		{"voters", lookVoters, judgeVoters},
		{"interface", lookLinks, judgeLinks},
		{"answers", lookAnswers, judgeAnswers},
		{"gossip", lookGossip, judgeGossip},
		{"fence", lookFence, judgeFence},
		{"port", lookPort, judgePort},
		{"backends", lookBackends, judgeBackends},
		{"clock", lookClock, judgeClock},
		{"firewall", lookFirewall, judgeFirewall},
	}
}

// lookTimeout bounds what a node may take to look at everything.
const lookTimeout = 8 * time.Second

// Look looks at everything. It needs the rights of `kshalb run`; what it may not
// see is in the view's Unseen. It takes some seconds, as it waits for answers.
func (l *Looker) Look(ctx context.Context) View {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	v := View{Node: l.Node, Version: l.Version, Taken: time.Now(), Contained: l.contained(), Unseen: make(map[string]string)}
	var mu sync.Mutex
	var looking sync.WaitGroup
	for _, t := range topics() {
		looking.Go(func() {
			if err := t.look(ctx, l, &v); err != nil {
				mu.Lock()
				defer mu.Unlock()
				v.Unseen[t.name] = err.Error()
			}
		})
	}
	looking.Wait()
	v.Took = Seconds(time.Since(v.Taken).Seconds())
	return v
}

// Judge says what the views mean, worst first.
func Judge(c Case) []Finding {
	findings := judgeLost(c)
	for _, t := range topics() {
		for _, f := range t.judge(c) {
			f.Topic = t.name
			findings = append(findings, f)
		}
		for _, node := range c.Nodes() {
			if why, ok := c.Views[node].Unseen[t.name]; ok {
				findings = append(findings, Finding{Level: Unseen, Topic: t.name, Node: node, Saw: "not seen: " + why})
			}
		}
	}
	sortFindings(findings)
	return findings
}

// judgeLost tells of peers that were not asked.
func judgeLost(c Case) (all []Finding) {
	for _, p := range c.Config.Cluster.Peers {
		if why, lost := c.Lost[p.Name]; lost {
			all = append(all, Finding{
				Level: Unseen, Topic: "peers", Node: p.Name, Saw: why,
				Why:  "what this host sees may be well while the peer's part is not",
				Mend: fmt.Sprintf("kshalb doctor (on %s, %s)", p.Name, p.Address),
			})
		}
	}
	return slices.Clip(all)
}
