package hooks

import "github.com/prometheus/client_golang/prometheus"

type metrics struct{ runs, dropped *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_hooks_runs_total", Help: "Commands that were run for events, by how they ended.",
		}, []string{"on", "outcome"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kshalb_hooks_dropped_total", Help: "Events that a command was not run for because it was too slow.",
		}, []string{"on"}),
	}
	for _, on := range []string{Holder, Backend} {
		m.dropped.WithLabelValues(on)
		for _, how := range outcomes() {
			m.runs.WithLabelValues(on, string(how))
		}
	}
	reg.MustRegister(m.runs, m.dropped)
	return m
}
