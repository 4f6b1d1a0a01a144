package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// ServeAPI answers on ln as much of what an API server does as the demo needs,
// over TLS, until ctx is done: /readyz and /livez, /version, and the node's name
// at /whoami. It closes ln.
func ServeAPI(ctx context.Context, ln net.Listener, node string, cert tls.Certificate) error {
	s := &http.Server{
		Handler:           newAPI(node),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that are cut off are the point
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // connections and all
	defer stop()
	if err := s.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API of %s: %w", node, err)
	}
	return nil
}

func newAPI(node string) http.Handler {
	say := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, what) }
	}
	mux := http.NewServeMux()
	mux.Handle("GET /readyz", say("ok"))
	mux.Handle("GET /livez", say("ok"))
	mux.Handle("GET /whoami", say(node+"\n"))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"gitVersion":"v0.0.0-demo","platform":%q}`+"\n", node)
	})
	return mux
}
