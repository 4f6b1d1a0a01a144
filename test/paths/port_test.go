package paths

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// sharing is serve with SO_REUSEPORT, as with --permit-port-sharing.
func sharing(t *testing.T, m *cluster.Master) (stop func()) {
	t.Helper()
	var ln net.Listener
	must(t, m.Do(func() (err error) {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			ctlErr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
			return errors.Join(ctlErr, err)
		}}
		ln, err = lc.Listen(t.Context(), "tcp", fmt.Sprintf("[::]:%d", cluster.Port))
		return err
	}))
	return serveOn(t, m, ln)
}

// boundTo waits until the listener's socket is on a port of the VIP.
func boundTo(ctx context.Context, t *testing.T, m *cluster.Master, port int) {
	t.Helper()
	must(t, m.WaitStatus(ctx, func(n status.Node) error {
		if got := n.Listeners[0].Bind; !strings.HasSuffix(got, fmt.Sprint(":", port)) {
			return fmt.Errorf("the socket is at %s, want port %d", got, port)
		}
		return nil
	}))
}

// TestShared: beside API servers that share their port kshalb shares it, and
// gets every client of the VIP. When one comes back without leave to share it
// finds the port free, and the VIP is redirected.
func TestShared(t *testing.T) {
	c, err := cluster.New(labtest.New(t), binary)
	must(t, err)
	stop := make(map[string]func())
	for _, m := range c.Masters {
		stop[m.Name()] = sharing(t, m)
		must(t, m.Start())
	}
	h := holder(t, c)
	ctx := labtest.Context(t, limit)
	boundTo(ctx, t, h, cluster.Port)
	before := relayed(ctx, t, h)
	if _, err := ask(ctx, c, c.Client.DialContext, c.VIP, 40); err != nil {
		t.Fatal(err)
	}
	if n := relayed(ctx, t, h) - before; n != 40 {
		t.Errorf("kshalb relayed %d of 40 connections", n)
	}
	if by, err := ask(ctx, c, c.Client.DialContext, h.Addr(), 2); err != nil || by[h.Name()] != 2 {
		t.Errorf("the host's own port: answers %v, %v", by, err)
	}

	stop[h.Name()]()
	gone := time.Now()
	for deadline := gone.Add(limit); ; {
		ln, err := h.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
		if err == nil {
			t.Logf("the port was free %v after its owner had gone", time.Since(gone))
			serveOn(t, h, ln)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	boundTo(ctx, t, h, 26443)
	arrives(t, c, holder(t, c), c.Client.DialContext)
}

// TestFail: the port itself is bound, also where the VIP is not, and whoever has
// it is named.
func TestFail(t *testing.T) {
	c, err := cluster.NewWith(labtest.New(t), binary, cluster.Options{
		PortConflict: "fail", Backends: "{addresses: [192.168.0.100:6443]}", Check: "{type: tcp}",
	})
	must(t, err)
	pair, err := c.Masters[0].Certificate(pki.Names{})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	ln, err := c.Client.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	must(t, err)
	labtest.Background(t, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, "client", cert) })

	taken := c.Masters[2]
	stop := serve(t, taken)
	must(t, taken.Start())
	must(t, taken.Kshalb().Wait(labtest.Context(t, limit)))
	const want = "listener apiserver: listen on 192.168.0.10:6443: address already in use; paths.test (process "
	if said := taken.Kshalb().Tail(2000); !strings.Contains(said, want) || !strings.Contains(said, "has [::]:6443: stop it, or write portConflict: auto") {
		t.Errorf("it says %q, want %q", said, want)
	}
	stop()
	for _, m := range c.Masters {
		must(t, m.Start())
	}
	h := holder(t, c)
	ctx := labtest.Context(t, limit)
	boundTo(ctx, t, h, cluster.Port)
	for _, from := range []from{c.Client.DialContext, h.DialContext} {
		before := relayed(ctx, t, h)
		if by, err := ask(ctx, c, from, c.VIP, 2); err != nil || by["client"] != 2 {
			t.Errorf("answers %v, %v", by, err)
		}
		if n := relayed(ctx, t, h) - before; n != 2 {
			t.Errorf("kshalb relayed %d of 2 connections", n)
		}
	}
}
