package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	var b backoff
	now := time.Duration(0)
	want := []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000}
	for i, ms := range want {
		pause, begins := b.fail(now)
		if pause != ms*time.Millisecond || begins != (i == 0) {
			t.Errorf("failure %d: pause %s, begins %t", i, pause, begins)
		}
		now += pause
	}
	b.pause = 0 // an accept went well
	if pause, begins := b.fail(now + time.Second); pause != minPause || begins {
		t.Errorf("a second later: pause %s, begins %t; it is the same episode", pause, begins)
	}
	if _, begins := b.fail(now + time.Minute); !begins {
		t.Error("a minute later it is another episode")
	}
}

func TestAcceptErrors(t *testing.T) {
	for errno, peers := range map[syscall.Errno]bool{
		syscall.ECONNABORTED: true,
		syscall.ENETDOWN:     true,
		syscall.EMFILE:       false,
		syscall.ENFILE:       false,
		syscall.ENOMEM:       false,
		syscall.ENOBUFS:      false,
	} {
		err := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errno)}
		if got := isPeersFault(err); got != peers {
			t.Errorf("%v: the peer's fault %t, want %t", err, got, peers)
		}
	}
}

func TestResultOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want result
	}{
		{nil, ok},
		{syscall.ECONNREFUSED, connectRefused},
		{syscall.ETIMEDOUT, connectTimeout},
		{os.ErrDeadlineExceeded, connectTimeout},
		{syscall.EHOSTUNREACH, connectError},
		{syscall.EMFILE, connectError},
	} {
		err := tc.err
		if err != nil {
			err = fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Err: err})
		}
		if got := resultOf(err); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.err, got, tc.want)
		}
	}
}

func TestListenErrorNamesTheCapability(t *testing.T) {
	bind := netip.MustParseAddrPort("192.0.2.1:443")
	err := listenError(bind, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)})
	const begin = "listen on 192.0.2.1:443: permission denied; "
	if got := err.Error(); !errors.Is(err, syscall.EACCES) || !strings.HasPrefix(got, begin) || !strings.Contains(got, "CAP_NET_BIND_SERVICE") {
		t.Errorf("error %q", got)
	}
}
