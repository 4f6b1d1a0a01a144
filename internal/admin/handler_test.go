package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kshalb/kshalb/internal/status"
)

var quiet = slog.New(slog.DiscardHandler)

// handler tells n and one metric.
func handler(n status.Node) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "kshalb_test", Help: "Is 7."}, func() float64 { return 7 }))
	return NewHandler(Source{Status: func() status.Node { return n }, Cluster: withAnswer(n), Metrics: reg}, quiet)
}

// withAnswer is n with the answer of a peer.
func withAnswer(n status.Node) func(context.Context) status.Node {
	n.Answers = []status.Answer{{From: "m9"}}
	return func(context.Context) status.Node { return n }
}

func ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w
}

func TestPaths(t *testing.T) {
	ready, waiting := handler(status.Node{Ready: true}), handler(status.Node{Reason: "there is no backend"})
	for _, test := range []struct {
		name         string
		h            http.Handler
		method, path string
		code         int
		body         string
	}{
		{"page", ready, "GET", "/", 200, "<title>kshalb</title>"},
		{"alive", ready, "GET", "/healthz", 200, "ok\n"},
		{"alive, not ready", waiting, "GET", "/healthz", 200, "ok\n"},
		{"ready", ready, "GET", "/readyz", 200, "ok\n"},
		{"not ready", waiting, "GET", "/readyz", 503, "not ready: there is no backend\n"},
		{"metrics", ready, "GET", "/metrics", 200, "kshalb_test 7\n"},
		{"status", ready, "GET", "/api/v1/status", 200, `"ready": true`},
		{"status, not ready", waiting, "GET", "/api/v1/status", 200, `"reason": "there is no backend"`},
		{"cluster", ready, "GET", "/api/v1/cluster", 200, `"from": "m9"`},
		{"head", ready, "HEAD", "/readyz", 200, ""},
		{"unknown", ready, "GET", "/nosuch", 404, "not found"},
		{"below a known one", ready, "GET", "/readyz/more", 404, "not found"},
		{"post", ready, "POST", "/readyz", 405, ""},
		{"put", ready, "PUT", "/api/v1/status", 405, ""},
		{"delete", ready, "DELETE", "/metrics", 405, ""},
		{"post to the page", ready, "POST", "/", 405, ""},
		{"post to the unknown", ready, "POST", "/nosuch", 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := ask(test.h, test.method, test.path)
			if w.Code != test.code || !strings.Contains(w.Body.String(), test.body) {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.code, test.body)
			}
			if allow := w.Header().Get("Allow"); test.code == 405 && allow != "GET, HEAD" {
				t.Errorf("Allow is %q", allow)
			}
		})
	}
}

func TestStatusDecodes(t *testing.T) {
	want := status.Node{
		Name: "m1", Cluster: "c", Version: "v1", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Ready: true,
		VIPs: []status.VIP{{
			Name: "v", Address: "192.0.2.10", Holder: "m1", Term: 3, Assigned: true, LeaseRemaining: 0.25, State: "holding",
			Fence: []status.Fence{{Layer: "deadline", Active: true}},
		}},
		Peers:     []status.Peer{{Name: "m1", Address: "192.0.2.1", State: "self"}},
		Listeners: []status.Listener{{Name: "l", Address: "a", Bind: "b", Active: 2, Backends: []status.Backend{{Address: "x", State: "up", Connections: 9}}}},
	}
	w := ask(handler(want), "GET", StatusPath)
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("it is %q", got)
	}
	var got status.Node
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
