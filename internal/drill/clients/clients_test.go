package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	bad := errors.New("connection refused")
	n := notes{
		results: []result{{at(20), nil}, {at(40), nil}, {at(300), bad}, {at(100), bad}, {at(540), nil}, {at(560), nil}, {at(2000), nil}},
		broken:  []time.Time{at(41), at(3000)},
	}
	s := n.Summary(at(30), at(600))
	if s.Requests != 5 || s.Failed != 2 || s.Broken != 1 || s.Gap != 500*time.Millisecond || s.Errors["connection refused"] != 2 {
		t.Errorf("%+v", s)
	}
	if s := n.Summary(at(570), at(1500)); s.Gap != 930*time.Millisecond || s.Requests != 0 {
		t.Errorf("without any answer: %+v", s)
	}
	if !n.Answered(at(1999)) || n.Answered(at(2000)) {
		t.Error("answered after a moment")
	}
}

// server is one whose connections can be broken.
func server(t *testing.T, status int) (*httptest.Server, Service) {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	return srv, Service{Address: netip.MustParseAddrPort(srv.Listener.Addr().String()), Path: "/readyz", TLS: &tls.Config{InsecureSkipVerify: true}}
}

// until waits for something that happens in the background.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("never: " + what)
		}
	}
}

// TestClients: connections that break are counted, and made again.
func TestClients(t *testing.T) {
	srv, service := server(t, http.StatusUnauthorized) // an API server that is well, and knows nobody
	ctx, cancel := context.WithCancel(t.Context())
	f, k, w := NewFresh(service), NewKept(service), NewWatch(service, nil)
	var running sync.WaitGroup
	for _, run := range []func(context.Context){f.Run, k.Run, w.Run} {
		running.Go(func() { run(ctx) })
	}
	begin := time.Now()
	until(t, "all are served", func() bool { return f.Answered(begin) && k.Answered(begin) && w.Listening() })
	broke := time.Now()
	srv.CloseClientConnections()
	until(t, "the kept one and the watch are broken", func() bool {
		_, broken := w.Told(broke, time.Now())
		return broken == 1 && k.Summary(broke, time.Now()).Broken == 1
	})
	again := time.Now()
	until(t, "all are served again", func() bool { return f.Answered(again) && k.Answered(again) && w.Listening() })
	cancel()
	running.Wait()
	if gap, _ := w.Told(broke, time.Now()); gap <= 0 || gap > time.Since(broke) {
		t.Errorf("the watch was told after %v", gap)
	}
	if gap, broken := w.Told(again, again.Add(time.Minute)); gap != time.Minute || broken != 0 {
		t.Errorf("a watch that nobody tells: %v, %d broken, want the whole minute", gap, broken)
	}
}

// TestTrouble: what a server or its absence says is told in few words.
func TestTrouble(t *testing.T) {
	_, sick := server(t, http.StatusServiceUnavailable)
	gone, nobody := server(t, http.StatusOK)
	gone.Close()
	for want, s := range map[string]Service{"answered 503 Service Unavailable": sick, "connect: connection refused": nobody} {
		if err := NewFresh(s).once(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestConnectsOnly: without a path a connection that stays is an answer, and one that
// is ended is none.
func TestConnectsOnly(t *testing.T) {
	srv, service := server(t, http.StatusOK)
	service.Path, service.TLS = "", nil
	if err := NewFresh(service).once(t.Context()); err != nil {
		t.Error(err)
	}
	srv.Close()
	if err := NewFresh(service).once(t.Context()); err == nil {
		t.Error("nobody is there")
	}
}
