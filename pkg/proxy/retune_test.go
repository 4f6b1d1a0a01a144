package proxy

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRetune: a client that is accepted from now on has the new timeouts.user: it
// inherits it from the listening socket.
func TestRetune(t *testing.T) {
	loops := NewLoops(2)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 2)
	go func() { ran <- loops.Run(ctx) }()
	cfg := Config{Name: "test", Bind: netip.MustParseAddrPort("127.0.0.1:0"), Timeouts: Timeouts{User: 15 * time.Second}}
	l := NewListener(cfg, NewPool(PoolConfig{}, nil), loops, slog.New(slog.DiscardHandler), NewMetrics(nil))
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	listening, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- l.Run(listening) }()
	for _, user := range []time.Duration{30 * time.Second, 0, 7 * time.Second} {
		cfg.Timeouts.User = user
		if err := l.SetConfig(cfg); err != nil {
			t.Fatal(err)
		}
		has := func(fd int32) bool { // as soon as the loops have the sockets
			got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
			if err != nil {
				t.Fatal(err)
			}
			return got == int(user/time.Millisecond)
		}
		for _, fd := range l.open.Load().sockets {
			for end := time.Now().Add(time.Minute); !has(fd); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("a socket never gets %s", user)
				}
			}
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
