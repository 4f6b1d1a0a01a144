package election

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the election's figures. State is read when they are scraped.
type Metrics struct {
	renewed prometheus.Histogram
	ignored *prometheus.CounterVec
	elector atomic.Pointer[Elector]
	gossip  atomic.Pointer[Gossip]
}

var (
	holderDesc      = prometheus.NewDesc("kshalb_election_holder", "1 for the node that holds the VIP, as this node knows it.", []string{"vip", "node"}, nil)
	termDesc        = prometheus.NewDesc("kshalb_election_term", "The VIP's term: it grows with every new holder.", []string{"vip"}, nil)
	transitionsDesc = prometheus.NewDesc("kshalb_election_transitions_total", "Changes of the VIP's holder that this node saw.", []string{"vip"}, nil)
	remainingDesc   = prometheus.NewDesc("kshalb_election_lease_remaining_seconds", "How long this node may still answer for the VIP; 0 if it does not hold it.", []string{"vip"}, nil)
	packetsDesc     = prometheus.NewDesc("kshalb_cluster_ignored_packets_total", "Packets and streams that gossip refused, by why.", []string{"reason"}, nil)
	peersDesc       = prometheus.NewDesc("kshalb_cluster_peers", "Other nodes by the state in which gossip sees them.", []string{"state"}, nil)
)

// NewMetrics registers the election's metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{ignored: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kshalb_election_ignored_messages_total",
		Help: "Messages of other nodes that were not counted, by why.",
	}, []string{"reason"}), renewed: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "kshalb_election_renew_duration_seconds",
		Help:    "From asking the voters to a majority of grants.",
		Buckets: prometheus.ExponentialBuckets(0.0002, 2, 12),
	})}
	reg.MustRegister(m.renewed, m.ignored, m)
	return m
}

func (m *Metrics) watch(e *Elector)      { m.elector.Store(e) }
func (m *Metrics) ignore(why Reason)     { m.ignored.WithLabelValues(string(why)).Inc() }
func (m *Metrics) watchGossip(g *Gossip) { m.gossip.Store(g) }

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{holderDesc, termDesc, transitionsDesc, remainingDesc, peersDesc, packetsDesc} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	if e := m.elector.Load(); e != nil {
		for _, s := range e.Status() {
			collectVIP(ch, s)
		}
	}
	if g := m.gossip.Load(); g != nil {
		count := map[PeerState]int{PeerAlive: 0, PeerDead: 0, PeerUnknown: 0}
		for _, p := range g.Peers() {
			count[p.State]++
		}
		for reason, n := range g.Ignored() {
			ch <- prometheus.MustNewConstMetric(packetsDesc, prometheus.CounterValue, float64(n), reason)
		}
		for state, n := range count {
			ch <- prometheus.MustNewConstMetric(peersDesc, prometheus.GaugeValue, float64(n), string(state))
		}
	}
}

func collectVIP(ch chan<- prometheus.Metric, s Status) {
	if s.Holder != "" {
		ch <- prometheus.MustNewConstMetric(holderDesc, prometheus.GaugeValue, 1, s.VIP, s.Holder)
	}
	remaining := 0.0
	if !s.Deadline.IsZero() {
		remaining = max(time.Until(s.Deadline).Seconds(), 0)
	}
	ch <- prometheus.MustNewConstMetric(termDesc, prometheus.GaugeValue, float64(s.Term), s.VIP)
	ch <- prometheus.MustNewConstMetric(transitionsDesc, prometheus.CounterValue, float64(s.Transitions), s.VIP)
	ch <- prometheus.MustNewConstMetric(remainingDesc, prometheus.GaugeValue, remaining, s.VIP)
}
