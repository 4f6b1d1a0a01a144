package health

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics is what checkers tell. One Metrics serves all checkers of a process.
//
//   - kshalb_health_backend_up{listener,backend}: 1 is up or suspect, 0 is draining or down; read at
//     scrape from the checkers that run, and not there while unknown.
//   - kshalb_health_backend_certificate_expiry_timestamp_seconds{listener,backend}: when the
//     certificate ends that the backend showed last; not there before it has shown one.
//   - kshalb_health_probe_duration_seconds{listener}: of probes that ended,
//     whatever their result.
//   - kshalb_health_transitions_total{listener,backend,to}: to is "up", "suspect", "draining" or "down".
type Metrics struct {
	duration    *prometheus.HistogramVec
	transitions *prometheus.CounterVec
	states      *stateCollector
}

// NewMetrics makes the package's metrics and registers them with reg; a nil reg
// registers nothing. Like all of prometheus' MustRegister it panics when reg
// has them already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kshalb_health_probe_duration_seconds",
			Help:    "Time that probes took, whatever their result.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"listener"}),
		transitions: f.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_health_transitions_total",
			Help: "Changes of a backend's state, by the new state.",
		}, []string{"listener", "backend", "to"}),
		states: &stateCollector{},
	}
	if reg != nil {
		reg.MustRegister(m.states)
	}
	return m
}

// begin has the counters of a target there from the start, so that its first
// change is a rate.
func (m *Metrics) begin(listener string, target netip.AddrPort) {
	for _, to := range []State{Up, Suspect, Draining, Down} {
		m.transitions.WithLabelValues(listener, target.String(), to.String())
	}
}

// Forget ends what series of a listener outlive its Checker.
func (m *Metrics) Forget(listener string) {
	m.duration.DeletePartialMatch(prometheus.Labels{"listener": listener})
}

// forget ends the series of a target.
func (m *Metrics) forget(listener string, target netip.AddrPort) {
	m.transitions.DeletePartialMatch(prometheus.Labels{"listener": listener, "backend": target.String()})
}

// add shows a checker until the function that it returns is called.
func (m *Metrics) add(c *Checker) (remove func()) {
	m.states.mu.Lock()
	defer m.states.mu.Unlock()
	m.states.checkers = append(m.states.checkers, c)
	return func() {
		m.states.mu.Lock()
		defer m.states.mu.Unlock()
		m.states.checkers = slices.DeleteFunc(m.states.checkers, func(other *Checker) bool { return other == c })
	}
}

var (
	upDesc = prometheus.NewDesc("kshalb_health_backend_up",
		"1 when the backend is up or under suspicion, 0 when it is draining or down; missing while unknown.",
		[]string{"listener", "backend"}, nil)
	expiryDesc = prometheus.NewDesc("kshalb_health_backend_certificate_expiry_timestamp_seconds",
		"When the certificate ends that the backend showed last, in Unix seconds.",
		[]string{"listener", "backend"}, nil)
)

// stateCollector reads the states of the checkers that run.
type stateCollector struct {
	mu       sync.Mutex
	checkers []*Checker
}

// Describe is part of prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- upDesc; ch <- expiryDesc }

// Collect is part of prometheus.Collector. Of two checkers of one listener, as
// there are while one takes over from the other, the newer one speaks.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	type key struct{ listener, backend string }
	said := map[key]bool{}
	c.mu.Lock()
	checkers := slices.Clone(c.checkers)
	c.mu.Unlock()
	for _, checker := range slices.Backward(checkers) {
		for _, s := range checker.Status() {
			k := key{checker.name, s.Target.String()}
			if s.State == Unknown || said[k] {
				continue
			}
			said[k] = true
			up := 0.0
			if s.State == Up || s.State == Suspect {
				up = 1
			}
			ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, up, k.listener, k.backend)
			if !s.Expiry.IsZero() {
				ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(s.Expiry.Unix()), k.listener, k.backend)
			}
		}
	}
}
