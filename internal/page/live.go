package page

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kshalb/kshalb/internal/history"
	"github.com/kshalb/kshalb/internal/status"
)

const (
	every      = time.Second
	maxStreams = 32 // at a time: a browser that is left open costs a status a second
	patience   = 10 * time.Second
)

// Live is the stream of server-sent events (HTML standard, section 9.2): "status" is a
// status.Node, each second; "points" are those of a history.History by listener,
// first all of them, then the new ones.
type Live struct {
	Status func() status.Node
	Points func() map[string][]history.Point

	streams atomic.Int32
}

// ServeHTTP streams until the client goes, or the server's own context ends.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.streams.Add(1) > maxStreams {
		l.streams.Add(-1)
		http.Error(w, "too many pages are open on this node; close one", http.StatusServiceUnavailable)
		return
	}
	defer l.streams.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	_ = l.stream(r.Context(), w) // its only errors are those of a client that is gone
}

func (l *Live) stream(ctx context.Context, w http.ResponseWriter) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var sent time.Time // the newest point
	for {
		if points, newest := since(l.Points(), sent); len(points) > 0 {
			sent = newest
			if err := send(w, "points", points); err != nil {
				return err
			}
		}
		if err := send(w, "status", l.Status()); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// since are the points after a moment, and the newest of their times.
func since(all map[string][]history.Point, after time.Time) (fresh map[string][]history.Point, newest time.Time) {
	fresh, newest = make(map[string][]history.Point), after
	for name, points := range all {
		for _, p := range points {
			if p.At.After(after) {
				fresh[name] = append(fresh[name], p)
			}
			if p.At.After(newest) {
				newest = p.At
			}
		}
	}
	return fresh, newest
}

// send sends one event. A client that does not take it in time is given up.
func send(w http.ResponseWriter, event string, data any) error {
	text, err := json.Marshal(data) // on one line
	if err != nil {
		return err
	}
	c := http.NewResponseController(w)
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text); err != nil {
		return err
	}
	return c.Flush()
}
