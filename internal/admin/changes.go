package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Where changes are asked for, on the socket only.
const (
	HandoverPath = "/api/v1/handover"
	ReloadPath   = "/api/v1/reload"
	BackendsPath = "/api/v1/backends"
	ViewsPath    = "/api/v1/views"
	DrillPath    = "/api/v1/drill"
)

// Changes are what the socket can ask for. All of it is safe for concurrent
// use. An error made with [Refuse] has a status of its own, others are internal
// ones.
type Changes struct {
	Handover func(ctx context.Context, vip, node string) (Handover, error)
	Reload   func(dry bool) (Reloaded, error)
	Backend  func(BackendOrder) (BackendOrdered, error)
	Views    func(ctx context.Context, domains []string) (Views, error)
	Drill    func(context.Context, DrillOrder) error
}

// Handover is a VIP that went from one node to another.
type Handover struct {
	VIP          string `json:"vip"`
	From         string `json:"from"`
	To           string `json:"to"`
	Term         uint64 `json:"term"`
	Milliseconds int64  `json:"milliseconds"` // until the old holder knew of the new one
}

// Reloaded is what a reload changed; no changes is also a success.
type Reloaded struct {
	Dry     bool     `json:"dry,omitempty"` // nothing was changed, it was only looked what would be
	Changes []string `json:"changes"`
	Notes   []string `json:"notes"` // what to know or do besides
}

// refusal is an error with the status of the answer.
type refusal struct {
	status int
	err    error
}

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// Refuse gives err the status, from 400 to 599, that the answer is to have. Nil
// stays nil.
func Refuse(status int, err error) error {
	if err == nil {
		return nil
	}
	return refusal{status, err}
}

// maxRequest bounds the body of a change.
const maxRequest = 4 << 10

// NewSocketHandler serves what [NewHandler] does, and changes by POST.
func NewSocketHandler(src Source, changes Changes, log *slog.Logger) http.Handler {
	mux := newMux(src, log)
	mux.HandleFunc("POST "+HandoverPath, func(w http.ResponseWriter, r *http.Request) {
		var ask struct{ VIP, Node string }
		if err := decode(w, r, &ask); err != nil || ask.VIP == "" {
			http.Error(w, fmt.Sprintf(`hand over: the body must be {"vip": NAME, "node": NAME or ""} (%v)`, err), http.StatusBadRequest)
			return
		}
		done, err := changes.Handover(r.Context(), ask.VIP, ask.Node)
		answer(w, done, err, log)
	})
	mux.HandleFunc("POST "+BackendsPath, func(w http.ResponseWriter, r *http.Request) {
		serveBackends(w, r, changes.Backend, log)
	})
	mux.HandleFunc("POST "+ViewsPath, func(w http.ResponseWriter, r *http.Request) {
		serveViews(w, r, changes.Views, log)
	})
	mux.HandleFunc("POST "+DrillPath, func(w http.ResponseWriter, r *http.Request) {
		serveDrill(w, r, changes.Drill, log)
	})
	mux.HandleFunc("POST "+ReloadPath, func(w http.ResponseWriter, r *http.Request) {
		done, err := changes.Reload(r.URL.Query().Has(dryRun))
		answer(w, done, err, log)
	})
	return mux
}

// decode reads the body of a change.
func decode(w http.ResponseWriter, r *http.Request, ask any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	dec.DisallowUnknownFields()
	return dec.Decode(ask)
}

// answer writes what was done as JSON, or the error as text.
func answer(w http.ResponseWriter, done any, err error, log *slog.Logger) {
	status := http.StatusInternalServerError
	if r, ok := errors.AsType[refusal](err); ok {
		status = r.status
	}
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	writeJSON(w, done, log)
}

func writeJSON(w http.ResponseWriter, v any, log *slog.Logger) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // people read it
	if err := enc.Encode(v); err != nil {
		log.Debug("answer not sent", "err", err)
	}
}

// changeTimeout is what a change may take: a handover waits for its successor.
const changeTimeout = 10 * time.Second

// AskHandover asks the kshalb behind a unix socket to give a VIP to node, or,
// with "", to whichever is best able. It takes ten seconds at most.
func AskHandover(ctx context.Context, socket, vip, node string) (done Handover, err error) {
	body, err := json.Marshal(map[string]string{"vip": vip, "node": node})
	if err != nil {
		return done, err
	}
	return done, query(ctx, request{socket, http.MethodPost, HandoverPath, body, changeTimeout}, &done)
}

// dryRun in the query of a reload has nothing change.
const dryRun = "dryRun"

// AskReload asks the kshalb behind a unix socket to read its configuration
// again or, if dry, to say only what that would change. A [*BadConfig] is a file with
// mistakes.
func AskReload(ctx context.Context, socket string, dry bool) (done Reloaded, err error) {
	path := ReloadPath
	if dry {
		path += "?" + dryRun
	}
	return done, query(ctx, request{socket, http.MethodPost, path, nil, changeTimeout}, &done)
}

// BadConfig is what is wrong with a configuration, a line for each problem.
type BadConfig struct{ Problems string }

// Error returns the problems.
func (b *BadConfig) Error() string { return b.Problems }
