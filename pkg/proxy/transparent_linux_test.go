package proxy_test

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// TestTransparentNeedsLeave: without it nobody could connect, and so the listener
// does not open.
func TestTransparentNeedsLeave(t *testing.T) {
	done := make(chan struct{})
	go func() { // on a thread that ends with it
		defer close(done)
		runtime.LockOSThread()
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			t.Error(err)
			return
		}
		l := proxy.NewListener(proxy.Config{Name: "test", Bind: loopback, Transparent: true},
			proxy.NewPool(proxy.PoolConfig{}, nil), proxy.NewLoops(1), slog.New(slog.DiscardHandler), proxy.NewMetrics(nil))
		const want = "listen on 127.0.0.1:0: speak to backends with clients' addresses: set IP_TRANSPARENT to 1: " +
			"operation not permitted; run as root or with CAP_NET_ADMIN"
		if err := l.Listen(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}()
	<-done
}
