package doctor

import (
	"time"

	"github.com/kshalb/kshalb/internal/config"
)

// View is what one node sees of its host and of the network around it. It goes
// from node to node as JSON; an older kshalb leaves out what it does not know.
type View struct {
	Node      string    `json:"node"`
	Version   string    `json:"version"`
	Taken     time.Time `json:"taken"`     // by the node's own clock, at the begin
	Took      Seconds   `json:"took"`      // to look; 0: an older kshalb does not say
	Contained bool      `json:"contained"` // in a container: the host's processes and files are not seen

	// Unseen is why a topic could not be looked at, by its name. Its part of the
	// view is then nil.
	Unseen map[string]string `json:"unseen,omitempty"`

	// The parts, by topic.
	Digest string `json:"digest,omitempty"` // of the configuration

	// Of the host.
	Sysctls   *Sysctls   `json:"sysctls,omitempty"`
	Names     *Names     `json:"names,omitempty"`
	Leftovers *Leftovers `json:"leftovers,omitempty"`
	Limits    *Limits    `json:"limits,omitempty"`
	Kubelet   *Kubelet   `json:"kubelet,omitempty"`
	KubeProxy *KubeProxy `json:"kubeProxy,omitempty"`
	APIServer *APIServer `json:"apiserver,omitempty"`
	Etcd      *Etcd      `json:"etcd,omitempty"`
	Links     []Link     `json:"links,omitempty"`

	// Of the network.
	Answers *Answers `json:"answers,omitempty"`
	Gossip  *Gossip  `json:"gossip,omitempty"`
	Fence   *Fence   `json:"fence,omitempty"`
	Ports   []Port   `json:"ports,omitempty"`

	Backends []Backend `json:"backends,omitempty"`
	Clock    *Clock    `json:"clock,omitempty"`
	Firewall *Firewall `json:"firewall,omitempty"`
}

// Case is all that is judged at once.
type Case struct {
	Config *config.Config
	Self   string            // the node whose doctor asks; "" is no peer
	Views  map[string]View   // by node; Self's own is among them
	Lost   map[string]string // why a peer gave no view

	// Asked is when Self asked each node, by Self's own clock.
	Asked map[string]Asked
}

// Asked is the time of a question.
type Asked struct {
	Sent  time.Time `json:"sent"`  // just before it left
	Heard time.Time `json:"heard"` // just after the answer came
}

// Seconds are a duration.
type Seconds float64

func (s Seconds) duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Nodes are the names of the nodes that gave a view, Self first, then as the
// configuration has them.
func (c Case) Nodes() []string {
	nodes := []string{c.Self}
	for _, p := range c.Config.Cluster.Peers {
		if _, ok := c.Views[p.Name]; ok && p.Name != c.Self {
			nodes = append(nodes, p.Name)
		}
	}
	return nodes
}
