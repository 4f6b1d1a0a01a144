package app

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kshalb/kshalb/internal/admin"
)

// crowd starts an App with so many backends, all of them up.
func crowd(tb testing.TB, backends int) running {
	tb.Helper()
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	tb.Cleanup(srv.Close)
	var all []string
	for i := range backends {
		all = append(all, fmt.Sprintf("127.0.0.%d:%d", i+1, ln.Addr().(*net.TCPAddr).Port))
	}
	r := start(tb, embedded(tb, all...))
	r.log.waitFor(tb, "backend up", backends)
	return r
}

// TestMetricNames: the metrics keep to the naming rules of Prometheus, those of
// `promtool check metrics`. Those of a master are held to them in test/monitoring.
func TestMetricNames(t *testing.T) {
	a := crowd(t, 2)
	problems, err := testutil.GatherAndLint(a.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	want := `# HELP kshalb_config_info Always 1; the label is a short word for what has to be the same in the configuration of all nodes.
# TYPE kshalb_config_info gauge
kshalb_config_info{digest="` + a.cfg.Digest() + `"} 1
`
	if err := testutil.GatherAndCompare(a.registry, strings.NewReader(want), "kshalb_config_info"); err != nil {
		t.Error(err)
	}
}

// BenchmarkScrape is what a scrape costs with 100 backends.
func BenchmarkScrape(b *testing.B) {
	h := admin.NewHandler(admin.Source{Metrics: crowd(b, 100).registry}, slog.New(slog.DiscardHandler))
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", http.NoBody))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
