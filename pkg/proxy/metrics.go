package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	dto "github.com/prometheus/client_model/go"
)

// result is what became of one attempt to connect to a backend.
type result int

const (
	ok result = iota
	connectRefused
	connectTimeout
	connectError
	results // how many there are
)

var resultNames = [results]string{"ok", "connect_refused", "connect_timeout", "connect_error"}

func (r result) String() string { return resultNames[r] }

// reason is why a client was refused.
type reason int

const (
	noBackend  reason = iota // none was ready
	allFailed                // each ready one was tried
	overLimit                // Limits.Connections
	overSource               // Limits.PerSource
	overRate                 // Limits.NewPerSecond
	notAllowed               // Config.Allow
	reasons                  // how many there are
)

var reasonNames = [reasons]string{"no_backend", "all_failed", "limit", "per_source", "rate", "not_allowed"}

func (r reason) String() string { return reasonNames[r] }

// Metrics is what listeners count. One Metrics serves all listeners of a
// process; those of the same name are counted together.
//
//   - kshalb_proxy_connections_total{listener,backend,result}: attempts to
//     connect to a backend; result "ok" is a connection that was relayed.
//   - kshalb_proxy_refused_total{listener,reason}: clients reset without having
//     had a backend.
//   - kshalb_proxy_connections_active{listener,backend}: relayed now.
//   - kshalb_proxy_connections_limit{listener}: Limits.Connections, that all of them
//     together are held to, connecting ones too; not there without.
//   - kshalb_proxy_bytes_total{listener,backend,direction}: "in" is from client
//     to backend, "out" the way back; counted when written. What is said of a
//     client is not of its bytes.
//   - kshalb_proxy_rebalanced_total{listener,backend}: connections that were sent
//     away from a backend by Config.Rebalance.
//   - kshalb_proxy_connect_duration_seconds: of attempts that succeeded.
type Metrics struct {
	connections *prometheus.CounterVec
	refused     *prometheus.CounterVec
	bytes       *prometheus.CounterVec
	rebalanced  *prometheus.CounterVec
	connect     prometheus.Histogram
	active      *activeCollector
}

// NewMetrics makes the package's metrics and registers them with reg; a nil reg
// registers nothing. Like all of prometheus' MustRegister it panics when reg
// has them already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{
		connections: f.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_proxy_connections_total",
			Help: "Attempts to connect to a backend, by result; ok are relayed connections.",
		}, []string{"listener", "backend", "result"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_proxy_refused_total",
			Help: "Clients that were refused, by reason.",
		}, []string{"listener", "reason"}),
		bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_proxy_bytes_total",
			Help: "Bytes relayed from client to backend (in) and back (out).",
		}, []string{"listener", "backend", "direction"}),
		rebalanced: f.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_proxy_rebalanced_total",
			Help: "Idle connections that were ended because their backend had more than its share.",
		}, []string{"listener", "backend"}),
		connect: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "kshalb_proxy_connect_duration_seconds",
			Help:    "Time that successful connects to backends took.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		active: &activeCollector{listeners: make(map[*Listener]struct{})},
	}
	if reg != nil {
		reg.MustRegister(m.active)
	}
	return m
}

// backendStats is what one listener counts of one backend; label values are
// resolved once.
type backendStats struct {
	address string

	attempts [results]prometheus.Counter
	in, out  prometheus.Counter
	sentAway prometheus.Counter

	active atomic.Int64
}

func (s *backendStats) received() uint64 { return valueOf(s.out) }

func valueOf(c prometheus.Counter) uint64 {
	var now dto.Metric
	if err := c.Write(&now); err != nil {
		return 0 // it never fails: it copies a number
	}
	return uint64(now.GetCounter().GetValue())
}

func (m *Metrics) backend(listener string, backend netip.AddrPort) *backendStats {
	address := backend.String()
	s := &backendStats{
		address: address,
		in:      m.bytes.WithLabelValues(listener, address, "in"),
		out:     m.bytes.WithLabelValues(listener, address, "out"),

		sentAway: m.rebalanced.WithLabelValues(listener, address),
	}
	for r := range results {
		s.attempts[r] = m.connections.WithLabelValues(listener, address, r.String())
	}
	return s
}

// Forget ends the series of a listener that has gone for good. One of the same name
// that is made later begins at zero.
func (m *Metrics) Forget(listener string) {
	of := prometheus.Labels{"listener": listener}
	for _, v := range []*prometheus.CounterVec{m.connections, m.refused, m.bytes, m.rebalanced} {
		v.DeletePartialMatch(of)
	}
}

// forget ends the series of a backend.
func (m *Metrics) forget(listener, backend string) {
	of := prometheus.Labels{"listener": listener, "backend": backend}
	m.connections.DeletePartialMatch(of)
	m.bytes.DeletePartialMatch(of)
	m.rebalanced.DeletePartialMatch(of)
}

func (m *Metrics) refusals(listener string) (c [reasons]prometheus.Counter) {
	for r := range reasons {
		c[r] = m.refused.WithLabelValues(listener, r.String())
	}
	return c
}

// activeCollector reads the active connections of the listeners that are open
// when it is asked, and what they are held to. An old listener that drains beside its successor of the
// same name adds to it.
type activeCollector struct {
	mu        sync.Mutex
	listeners map[*Listener]struct{}
}

var (
	activeDesc = prometheus.NewDesc("kshalb_proxy_connections_active",
		"Connections relayed now.", []string{"listener", "backend"}, nil)
	limitDesc = prometheus.NewDesc("kshalb_proxy_connections_limit",
		"Connections that clients may have at a time.", []string{"listener"}, nil)
)

func (a *activeCollector) add(l *Listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listeners[l] = struct{}{}
}

func (a *activeCollector) remove(l *Listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.listeners, l)
}

// Describe implements prometheus.Collector.
func (a *activeCollector) Describe(ch chan<- *prometheus.Desc) { ch <- activeDesc; ch <- limitDesc }

// Collect implements prometheus.Collector.
func (a *activeCollector) Collect(ch chan<- prometheus.Metric) {
	type labels struct{ listener, backend string }
	sums, limits := make(map[labels]int64), make(map[string]int)
	a.mu.Lock()
	for l := range a.listeners {
		if n := l.limiter.Limits().Connections; n > 0 {
			limits[l.name()] = n
		}
		l.each(func(*member, State, *backendStats) {}) // new ones are there, too
		l.stats.Range(func(_, s any) bool {
			b := s.(*backendStats)
			sums[labels{l.name(), b.address}] += b.active.Load()
			return true
		})
	}
	a.mu.Unlock()
	for at, n := range sums {
		ch <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, float64(n), at.listener, at.backend)
	}
	for listener, n := range limits {
		ch <- prometheus.MustNewConstMetric(limitDesc, prometheus.GaugeValue, float64(n), listener)
	}
}
