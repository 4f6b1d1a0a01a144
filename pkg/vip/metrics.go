package vip

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts and tells what all VIPs of a process do:
//
//	kshalb_vip_assigned{vip}             1 while the address is on this host's interface
//	kshalb_vip_fence{vip,layer}          1 while the layer is in force: "deadline" while this
//	                                     process has a deadline for an assigned address,
//	                                     "kernel" while a packet filter has one, "lifetime"
//	                                     while the address itself has one
//	kshalb_vip_announcements_total{vip}  frames sent that announce the address
//	kshalb_vip_conflicts_total{vip}      frames heard in which others than the peers say that
//	                                     they have the address
//
// The gauges are read from the managers at each scrape.
type Metrics struct {
	announcements *prometheus.CounterVec
	conflicts     *prometheus.CounterVec
	assigned      *prometheus.Desc
	fence         *prometheus.Desc

	mu       sync.Mutex
	managers map[string]*Manager // by name; the last one made counts
}

// NewMetrics returns metrics that are registered with reg. It panics, as
// prometheus does, when reg has them already: make one for each registry.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		announcements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_vip_announcements_total",
			Help: "Frames sent that tell the neighbours where the VIP is.",
		}, []string{"vip"}),
		conflicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_vip_conflicts_total",
			Help: "Frames heard in which others than the peers say that they have the VIP.",
		}, []string{"vip"}),
		assigned: prometheus.NewDesc("kshalb_vip_assigned",
			"1 while the VIP is on an interface of this node.", []string{"vip"}, nil),
		fence: prometheus.NewDesc("kshalb_vip_fence",
			"1 while the layer would take the VIP from this node by itself.", []string{"vip", "layer"}, nil),
		managers: make(map[string]*Manager),
	}
	reg.MustRegister(m)
	return m
}

// Describe is for the registry.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.announcements.Describe(ch)
	m.conflicts.Describe(ch)
	ch <- m.assigned
	ch <- m.fence
}

// Collect is for the registry.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.announcements.Collect(ch)
	m.conflicts.Collect(ch)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, mgr := range m.managers {
		s := mgr.Status()
		ch <- gauge(m.assigned, s.Assigned, name)
		ch <- gauge(m.fence, s.Assigned && !past(s.Deadline), name, "deadline")
		ch <- gauge(m.fence, s.Fenced, name, "kernel")
		ch <- gauge(m.fence, s.Assigned, name, "lifetime")
	}
}

func gauge(d *prometheus.Desc, on bool, labels ...string) prometheus.Metric {
	var v float64
	if on {
		v = 1
	}
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// sent returns what counts the frames that announce a VIP.
func (m *Metrics) sent(name string) func(frames int) {
	c := m.announcements.WithLabelValues(name)
	return func(frames int) { c.Add(float64(frames)) }
}

func (m *Metrics) watch(mgr *Manager) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.managers[mgr.name] = mgr
}
