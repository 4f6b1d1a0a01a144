package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kshalb/kshalb/internal/history"
	"github.com/kshalb/kshalb/internal/page"
	"github.com/kshalb/kshalb/internal/status"
)

// StatusPath is where a node's status is served, as JSON of [status.Node].
const StatusPath = "/api/v1/status"

// ClusterPath is where the same is served together with the answers of the peers.
const ClusterPath = "/api/v1/cluster"

// Source is where answers come from. All of it is safe for concurrent use.
type Source struct {
	Status  func() status.Node
	Cluster func(context.Context) status.Node // with the answers of the peers, in less than a second
	Metrics prometheus.Gatherer
	Points  func() map[string][]history.Point // of the last quarter of an hour, by listener
}

// NewHandler serves what src tells: /metrics, /healthz, /readyz,
// /api/v1/status, /api/v1/cluster, /api/v1/live and, at /, a page for people.
// Only GET and HEAD are answered.
func NewHandler(src Source, log *slog.Logger) http.Handler { return newMux(src, log) }

func newMux(src Source, log *slog.Logger) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(src.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s := src.Status(); !s.Ready {
			http.Error(w, "not ready: "+s.Reason, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET "+StatusPath, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, src.Status(), log)
	})
	mux.HandleFunc("GET "+ClusterPath, func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, src.Cluster(r.Context()), log)
	})
	mux.Handle("GET "+page.LivePath, &page.Live{Status: src.Status, Points: src.Points})
	mux.HandleFunc("GET /{$}", page.Serve)
	return mux
}
