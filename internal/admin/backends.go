package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
)

// BackendOrder asks for something to be done about a backend, on this node alone.
type BackendOrder struct {
	Backend  string `json:"backend"`            // ADDRESS:PORT, ADDRESS or the name of a peer
	Listener string `json:"listener,omitempty"` // "" is all that have it
	Action   string `json:"action"`             // drain, undrain, maintenance, weight
	Weight   *int   `json:"weight,omitempty"`   // for weight; null is the configured one
	Who      string `json:"who"`
	Why      string `json:"why,omitempty"`
	Force    bool   `json:"force,omitempty"` // although it is the last one that serves
}

// BackendOrdered is what holds for the backend then.
type BackendOrdered struct {
	Backend string   `json:"backend"`
	Order   string   `json:"order"` // for example "drained, weight 5"; "" is nothing, so it is as configured
	Notes   []string `json:"notes"` // what to know or do besides
}

// serveBackends has do done what the body of a request asks for.
func serveBackends(w http.ResponseWriter, r *http.Request, do func(BackendOrder) (BackendOrdered, error), log *slog.Logger) {
	var ask BackendOrder
	if err := decode(w, r, &ask); err != nil || ask.Backend == "" || ask.Action == "" {
		http.Error(w, fmt.Sprintf(`order about a backend: the body must be {"backend": ADDRESS, "action": WHAT, ...} (%v)`, err), http.StatusBadRequest)
		return
	}
	done, err := do(ask)
	answer(w, done, err, log)
}

// AskBackend asks the kshalb behind a unix socket for something to be done about a
// backend. It takes ten seconds at most.
func AskBackend(ctx context.Context, socket string, o BackendOrder) (done BackendOrdered, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return done, err
	}
	return done, query(ctx, request{socket, http.MethodPost, BackendsPath, body, changeTimeout}, &done)
}
