// Package monitoring holds what deploy/monitoring has against a real Prometheus that
// scrapes three masters. `make monitoring` gets the Prometheus and runs it.
package monitoring
