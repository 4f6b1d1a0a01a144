package clients

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Watch is a client that only listens: it learns that its server is gone when
// somebody tells it. With credentials it is a watch of Kubernetes; without, a
// connection on which one request was answered and nothing is asked any more.
type Watch struct {
	notes
	service Service
	token   string
	// Real says that it is a watch of Kubernetes.
	Real bool
}

// NewWatch makes one that begins with Run. Without credentials (nil) it is an idle
// connection.
func NewWatch(s Service, with *Credentials) *Watch {
	w := &Watch{service: s}
	if with == nil {
		return w
	}
	w.Real, w.token = true, with.Token
	w.service.Path = "/api/v1/namespaces/default/endpoints?watch=1&allowWatchBookmarks=true"
	w.service.TLS = &tls.Config{
		RootCAs: with.CA, ServerName: with.ServerName, Certificates: with.Certificates, MinVersion: tls.VersionTLS12,
	}
	return w
}

// Run listens until ctx ends. A request counts as answered when the listening
// begins.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		w.listen(ctx)
		wait(ctx, tick.C)
	}
}

func (w *Watch) listen(ctx context.Context) {
	c, err := w.service.dial(ctx)
	if err == nil {
		defer closed(ctx, c)()
		err = w.begin(c)
	}
	if ctx.Err() != nil {
		return
	}
	w.add(err)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, c.in) // until it ends, no matter how
	if ctx.Err() == nil {
		w.broke()
	}
}

// begin asks what is to be listened to.
func (w *Watch) begin(c *conn) error {
	if !w.Real {
		if err := w.service.ask(c, freshTimeout); err != nil {
			return err
		}
		return c.SetDeadline(time.Time{})
	}
	if err := c.SetDeadline(time.Now().Add(2 * connectTimeout)); err != nil {
		return err
	}
	resp, err := request(c, w.service.Address.String(), w.service.Path, w.token) //nolint:bodyclose // it is the connection that is listened to, and closed
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s: the kubeconfig's user needs to watch endpoints in the namespace default", resp.Status)
	}
	return c.SetDeadline(time.Time{})
}

// Told is how long after a moment, at which its server went, the listening began
// again, and how often it was broken since. One that nobody has told listens still, to
// nobody: then it is all the time.
func (w *Watch) Told(since, to time.Time) (gap time.Duration, broken int) {
	broken = w.Summary(since, to).Broken
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.results {
		if broken > 0 && r.err == nil && r.end.After(since) && !r.end.After(to) {
			return r.end.Sub(since), broken
		}
	}
	return to.Sub(since), broken
}

// Listening reports whether it listens now, as far as it knows.
func (w *Watch) Listening() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.results) == 0 {
		return false
	}
	last := w.results[len(w.results)-1]
	return last.err == nil && (len(w.broken) == 0 || last.end.After(w.broken[len(w.broken)-1]))
}
