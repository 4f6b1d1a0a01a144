package app

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

func TestSummary(t *testing.T) {
	up, down := status.Backend{State: "up"}, status.Backend{State: "suspect"}
	l := status.Listener{Name: "apiserver", Backends: []status.Backend{up, down, up}}
	for want, n := range map[string]status.Node{
		"holds v (192.0.2.10); m2 holds w; nobody known holds x; apiserver: 2 of 3 backends up": {
			Name: "m1", Ready: true, Listeners: []status.Listener{l},
			VIPs: []status.VIP{{Name: "v", Holder: "m1", Address: "192.0.2.10"}, {Name: "w", Holder: "m2"}, {Name: "x"}},
		},
		"apiserver: 2 of 3 backends up; not ready: it is stopping": {Listeners: []status.Listener{l}, Reason: "it is stopping"},
		"nothing to serve": {Ready: true},
	} {
		if got := summary(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestUnderSystemd: what a service manager hears from the start to the end.
func TestUnderSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	var heard strings.Builder
	hears := func(wanted string, often int) {
		t.Helper()
		b := make([]byte, 4096)
		for strings.Count(heard.String(), wanted) < often {
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("%v; systemd never heard %q:\n%s", err, wanted, &heard)
			}
			heard.Write(append(b[:n], '\n'))
		}
	}
	r := start(t, embedded(t, "127.0.0.1:9"))
	hears("STATUS=default: 0 of 1 backends up", 1)
	hears("READY=1", 1)
	if _, err := r.Reload(false); err == nil {
		t.Error("there is no file to reload")
	}
	hears("RELOADING=1\nMONOTONIC_USEC=", 1)
	hears("READY=1", 2)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	hears("STOPPING=1", 1)
	hears("EXTEND_TIMEOUT_USEC=", 1)
}

// TestElectionHasToAnswer: event loops that turn are not enough.
func TestElectionHasToAnswer(t *testing.T) {
	a, err := New(parsed(t, writeFile(t, t.TempDir(), "gossip.key", []byte(oneKey))), Options{Node: "m1", State: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- a.loops.Run(ctx) }()
	answered := make(chan struct{})
	go func() { a.haveTurns(); close(answered) }()
	for range 100 { // so that it has got as far as the election
		a.loops.Answer()
	}
	select {
	case <-answered:
		t.Error("an election answered that does not run")
	default:
	}
	go func() { ended <- a.cluster.elector.Run(ctx) }()
	<-answered
	cancel()
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
