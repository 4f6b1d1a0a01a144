package health

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// counting starts a server that counts its connections; path /hang never answers.
func counting(t *testing.T, start func(*httptest.Server)) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var conns atomic.Int64
	s := server(t)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	start(s)
	return s, &conns
}

func probe(t *testing.T, s Session, fresh bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Probe(ctx, fresh); err != nil {
		t.Fatal(err)
	}
}

// TestKeptConnection: one handshake serves many probes, until a fresh one is asked
// for; an answer that is not the expected one does not end the connection.
func TestKeptConnection(t *testing.T) {
	srv, conns := counting(t, (*httptest.Server).StartTLS)
	s := https("/readyz", nil, "").Open(address(srv))
	defer s.Close()
	for range 20 {
		probe(t, s, false)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 20 probes, want 1", n)
	}
	probe(t, s, true)
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections after a fresh probe, want 2", n)
	}
	not := https("/503", nil, "").Open(address(srv))
	defer not.Close()
	for range 3 {
		if _, is := errors.AsType[*NotReady](not.Probe(t.Context(), false)); !is {
			t.Error("status 503 is not NotReady")
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections, want one more for three answers", n)
	}
}

// TestServerClosesKept: a server that closes an idle connection is well.
func TestServerClosesKept(t *testing.T) {
	srv, conns := counting(t, (*httptest.Server).Start)
	s := HTTP(HTTPOptions{Path: "/readyz"}).Open(address(srv))
	defer s.Close()
	probe(t, s, false)
	srv.CloseClientConnections()
	probe(t, s, false)
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestHugeAnswer: a connection with an answer that was not read to its end is not
// used again.
func TestHugeAnswer(t *testing.T) {
	srv, conns := counting(t, (*httptest.Server).Start)
	s := HTTP(HTTPOptions{Path: "/huge", Expect: []int{500}}).Open(address(srv))
	defer s.Close()
	probe(t, s, false)
	probe(t, s, false)
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestStaleAnswers: what came on a kept connection for no question is no answer.
func TestStaleAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for name, second := range map[string]string{
		"request timeout": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"two at once":     "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
		"end":             "",
	} {
		t.Run(name, func(t *testing.T) {
			target, _ := listen(t, func(c *net.TCPConn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, ok+second) // in one segment
			})
			s := HTTP(HTTPOptions{Path: "/"}).Open(target)
			defer s.Close()
			for range 3 {
				probe(t, s, false)
			}
		})
	}
}

// TestUnaskedTimeout: a server that gives up an idle connection in words is well.
func TestUnaskedTimeout(t *testing.T) {
	given := make(chan struct{}, 1)
	target, _ := listen(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		<-given
		_, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	s := HTTP(HTTPOptions{Path: "/"}).Open(target)
	defer s.Close()
	for range 3 {
		probe(t, s, false)
		given <- struct{}{}
	}
}

// TestEndlessHeader: no server fills the memory.
func TestEndlessHeader(t *testing.T) {
	target, _ := listen(t, func(c *net.TCPConn) {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(c, "X: "+strings.Repeat("x", 1000)+"\r\n")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := once(ctx, HTTP(HTTPOptions{Path: "/"}), target); err == nil || ctx.Err() != nil {
		t.Errorf("error %v, want one before the timeout", err)
	}
}

// TestLateCancel: a probe that ends together with its context leaves no connection
// on which the next one would be cut short.
func TestLateCancel(t *testing.T) {
	srv, _ := counting(t, (*httptest.Server).Start)
	s := HTTP(HTTPOptions{Path: "/readyz"}).Open(address(srv)).(*httpSession)
	defer s.Close()
	probe(t, s, true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.ask(ctx, true)
	if s.conn != nil {
		t.Error("the connection is kept")
	}
}

// TestSilence: what no answer in time means depends on the connection.
func TestSilence(t *testing.T) {
	asked := make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			asked <- struct{}{}
			<-r.Context().Done()
		}
	}))
	defer srv.Close()
	s := https("/", nil, "").Open(address(srv)).(*httpSession)
	defer s.Close()
	probe(t, s, true)
	s.httpProber = https("/hang", nil, "").(*httpProber)
	for _, want := range []verdict{undecided, notReady} {
		ctx, timeout := context.WithCancel(t.Context())
		go func() {
			<-asked
			timeout()
		}()
		if err := s.Probe(ctx, false); err == nil || verdictOf(err) != want || s.conn != nil {
			t.Errorf("verdict of %v, want %d, and the connection closed", err, want)
		}
	}
}

// TestAsks: what a server is asked is what the options say.
func TestAsks(t *testing.T) {
	var got atomic.Pointer[http.Request]
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r)
		w.WriteHeader(http.StatusNoContent)
	}))
	srv.StartTLS()
	defer srv.Close()
	s := HTTP(HTTPOptions{
		Path: "/x?y", Host: "api.example.org", Expect: []int{200, 204},
		TLS: &TLSOptions{ServerName: "example.com"},
	}).Open(address(srv))
	defer s.Close()
	probe(t, s, true)
	if r := got.Load(); r.Host != "api.example.org" || r.URL.String() != "/x?y" || r.TLS.ServerName != "example.com" {
		t.Errorf("asked %s %s by the name of %s", r.Host, r.URL, r.TLS.ServerName)
	}
}

func TestPreface(t *testing.T) {
	said := make(chan string, 2)
	target, _ := listen(t, func(c *net.TCPConn) {
		buf := make([]byte, 6)
		_, _ = io.ReadFull(c, buf)
		said <- string(buf)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	for name, p := range map[string]Prober{
		"http": HTTP(HTTPOptions{Path: "/", Preface: []byte("HELLO\n")}),
		"tcp":  TCP([]byte("HELLO\n")),
	} {
		if err := once(t.Context(), p, target); err != nil {
			t.Error(name, err)
		}
		if got := <-said; got != "HELLO\n" {
			t.Errorf("%s said %q", name, got)
		}
	}
}
