package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/lab/traffic"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func TestServeAPI(t *testing.T) {
	ca, err := pki.NewCA("demo")
	must(t, err)
	pair, err := ca.Issue(pki.Names{CommonName: "master1", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeAPI(ctx, ln, "master1", cert) }()

	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]string{
		"/readyz": "ok", "/livez": "ok", "/whoami": "master1\n", "/version": `"gitVersion":"v0.0.0-demo"`,
	} {
		resp, err := client.Get("https://" + ln.Addr().String() + path)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %q %v, want %q", path, resp.Status, body, err, want)
		}
	}
	cancel()
	must(t, <-done)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needLab(t *testing.T) {
	t.Helper()
	if lacks := lab.Missing(); len(lacks) > 0 {
		t.Skipf("this machine lacks what a lab needs: %v", lacks)
	}
}

func TestRunInterrupted(t *testing.T) {
	needLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := Run(ctx, Options{Binary: "/bin/sleep"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "interrupted") && !strings.Contains(err.Error(), "ended") {
		t.Errorf("err = %v", err)
	}
}

func TestRunNamesAKshalbThatEnds(t *testing.T) {
	needLab(t)
	err := Run(t.Context(), Options{Binary: "/bin/false"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "kshalb on master1 ended (exit status 1)") {
		t.Errorf("err = %v", err)
	}
	if err := Run(t.Context(), Options{Binary: "/nonexistent"}, io.Discard); err == nil {
		t.Error("no error for a program that is not there")
	}
}

func TestMissingNamesEachLack(t *testing.T) {
	err := missing([]lab.Lack{{What: "make a bridge", Err: io.EOF, Fix: "modprobe bridge"}, {What: "b", Err: io.EOF, Fix: "f"}})
	want := "this machine lacks what the demo needs\nmake a bridge: EOF; modprobe bridge\nb: EOF; f"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestPrinter(t *testing.T) {
	now := time.Now()
	good := act{
		what: "SIGTERM", from: "a", to: "b", moved: 7 * time.Millisecond,
		requests: traffic.Summary{Requests: 50, By: map[string]int{"b": 30, "a": 20}, Gap: 21 * time.Millisecond},
	}
	bad := act{
		what: "kill -9", from: "b", to: "a", moved: 2 * time.Second,
		requests: traffic.Summary{Requests: 100, Failed: 9, By: map[string]int{"a": 91}, Gap: time.Second},
		doubles:  []lab.Double{{Hosts: [2]string{"a", "b"}, From: now, To: now.Add(40 * time.Millisecond)}},
	}
	var b bytes.Buffer
	p := &printer{out: &b}
	p.act(good)
	p.act(bad)
	p.table([]act{good, bad})
	want := `  the address moved to b, which answered 7 ms after it
  50 requests, 0 failed  a 20  b 30
  longest time without an answer to a request: 21 ms
  two nodes with the address at the same time: never
  the address moved to a, which answered 2000 ms after it
  100 requests, 9 failed  a 91
  longest time without an answer to a request: 1000 ms
  two nodes with the address at the same time: for 40 ms, in 1 cases

In short
            ADDRESS MOVED   AFTER     LONGEST GAP   FAILED REQUESTS   TWO OWNERS
  SIGTERM   a to b          7 ms      21 ms         0 of 50           never
  kill -9   b to a          2000 ms   1000 ms       9 of 100          40 ms
`
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
	if b.Reset(); p.paint(red, "x") != "x" {
		t.Error("colour where none was asked for")
	}
}
