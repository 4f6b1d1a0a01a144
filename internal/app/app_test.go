package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/status"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/vip"
)

// logged is a log that a test waits on.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{} // one slot
}

func newLogged() *logged { return &logged{grew: make(chan struct{}, 1)} }

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.grew <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte(text))
}

func (l *logged) wait(tb testing.TB, text string) { tb.Helper(); l.waitFor(tb, text, 1) }

// waitFor waits until the log has said something so often.
func (l *logged) waitFor(tb testing.TB, text string, often int) {
	tb.Helper()
	for l.count(text) < often {
		select {
		case <-l.grew:
		case <-tb.Context().Done():
			tb.Fatal(context.Cause(tb.Context()))
		case <-time.After(20 * time.Second):
			l.mu.Lock()
			defer l.mu.Unlock()
			tb.Fatalf("the log never said %q:\n%s", text, &l.text)
		}
	}
}

// embedded is the configuration of `run --listen --backend`, on ports of the
// kernel's choice and with a socket.
func embedded(t testing.TB, backends ...string) *config.Config {
	t.Helper()
	cfg, err := config.Embedded("127.0.0.1:1", backends)
	if err != nil {
		t.Fatal(err)
	}
	any := netip.MustParseAddrPort("127.0.0.1:0")
	l := &cfg.Listeners[0]
	l.Bind, l.Address = any, any
	l.Check.Interval, l.Check.Timeout = 100*time.Millisecond, time.Second
	cfg.Admin = config.Admin{HTTP: any, Socket: filepath.Join(t.TempDir(), "kshalb.sock")}
	return cfg
}

// running is an App that serves until stop.
type running struct {
	*App
	log  *logged
	stop func() error // ends it and waits
}

func start(t testing.TB, cfg *config.Config) running {
	t.Helper()
	log := newLogged()
	a, err := New(cfg, Options{Version: "v0"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	log.wait(t, "kshalb is running")
	return running{a, log, stop}
}

func TestServesWithoutCluster(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer backend.Close()
	r := start(t, embedded(t, backend.Listener.Addr().String()))
	r.log.wait(t, "backend up")

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + r.front.list()[0].door().listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
		t.Errorf("%q, %v", body, err)
	}

	n, err := admin.FetchStatus(t.Context(), r.cfg.Admin.Socket)
	if err != nil {
		t.Fatal(err)
	}
	if !n.Ready || n.Name != "" || n.Version != "v0" || len(n.VIPs)+len(n.Peers) != 0 || len(n.Listeners) != 1 {
		t.Errorf("%+v", n)
	}
	if b := n.Listeners[0].Backends[0]; b.State != "up" || b.Connections != 1 || b.Since.IsZero() {
		t.Errorf("%+v", b)
	}
	if b, err := json.Marshal(n); err != nil || !bytes.Contains(b, []byte(`"vips":[],"peers":[]`)) {
		t.Errorf("scripts want lists, not null: %s, %v", b, err)
	}

	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if n := r.Status(); n.Ready || n.Reason != "it is stopping" {
		t.Errorf("it is not running and says %+v", n)
	}
	if c, err := net.Dial("tcp", n.Listeners[0].Bind); err == nil {
		c.Close()
		t.Error("the listener is open")
	}
}

func TestNotReadyWithoutBackend(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	r := start(t, embedded(t, gone.Addr().String()))
	r.log.wait(t, "backend down")
	if n := r.Status(); n.Ready || n.Reason != "listener default has no backend that is up" {
		t.Errorf("%+v", n)
	}
}

// What was opened is closed again when the rest can't be.
func TestWarnsOfTooFewFiles(t *testing.T) {
	cfg := embedded(t, "192.0.2.1:6443")
	cfg.Listeners[0].Limits.Connections = 1 << 30
	start(t, cfg).log.wait(t, "open files, and this process may have")
}

func TestOpensAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := embedded(t, "127.0.0.1:9")
	cfg.Listeners[0].Bind = netip.MustParseAddrPort(taken.Addr().String())
	a, err := New(cfg, Options{Version: "v0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil {
		t.Fatal("it ran on a port that is taken")
	}
	if _, err := net.Dial("unix", cfg.Admin.Socket); err == nil {
		t.Error("the admin socket is open")
	}
	taken.Close()
	again, err := admin.Listen(admin.Config{Socket: cfg.Admin.Socket}, http.NotFoundHandler(), http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Run(endedContext()); err != nil {
		t.Error(err)
	}
}

func TestListenersDrainTogether(t *testing.T) {
	f := newFront()
	var services []*service
	for _, drain := range []time.Duration{time.Second, time.Minute} {
		s := &service{}
		s.now.Store(&config.Listener{Timeouts: config.Timeouts{Drain: drain}})
		services = append(services, s)
	}
	f.set(services)
	if got := f.task().longer(); got != time.Minute {
		t.Errorf("they may take %v", got)
	}
}

func TestNewNeedsThisNode(t *testing.T) {
	cfg := embedded(t, "127.0.0.1:9")
	cfg.VIPs = []config.VIP{{Name: "v", Address: netip.MustParseAddr("192.0.2.10")}}
	cfg.Cluster.Peers = []config.Peer{{Name: "m1", Address: netip.MustParseAddr("192.0.2.1")}}
	if _, err := New(cfg, Options{Node: "m2", Version: "v0"}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a node that is not among the peers")
	}
}

func TestWhyNotReady(t *testing.T) {
	up, down := status.Backend{State: "up"}, status.Backend{State: "down"}
	for want, n := range map[string]status.Node{
		"": {
			Listeners: []status.Listener{{Name: "a", Backends: []status.Backend{down, up}}},
			VIPs:      []status.VIP{{State: "standby"}},
		},
		"listener b has no backend that is up": {Listeners: []status.Listener{
			{Name: "a", Backends: []status.Backend{up}}, {Name: "b", Backends: []status.Backend{down}}}},
		"its vote is silent after the start": {VIPs: []status.VIP{{State: "holding"}, {State: stateSilent}}},
	} {
		if got := whyNotReady(n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestStatusOfAVIP(t *testing.T) {
	cfg := config.VIP{Name: "v", Address: netip.MustParseAddr("192.0.2.10"), Interface: "eth0"}
	for want, e := range map[string]election.Status{
		"silent":      {Silent: true},
		"holding":     {Silent: true, Phase: election.Holding}, // a bootstrap node
		"campaigning": {Phase: election.Campaigning},
	} {
		if got := vipStatus(cfg, e); got.State != want || got.Interface != "eth0" || got.Fence == nil {
			t.Errorf("%+v", got)
		}
	}
	for want, e := range map[string]election.Status{"silent": {Silent: true}, "witness": {Holder: "m1", Term: 3}} {
		got := witnessStatus(vipStatus(cfg, e))
		if got.State != want || got.Interface != "" || got.Holder != e.Holder {
			t.Errorf("%+v", got)
		}
		if ready := whyNotReady(status.Node{VIPs: []status.VIP{got}}) == ""; ready != (want == "witness") {
			t.Errorf("ready: %t while %s", ready, want)
		}
	}
}

func TestFenceHasThreeLayers(t *testing.T) {
	cfg := config.VIP{Name: "v", Address: netip.MustParseAddr("192.0.2.10"), Refresh: time.Minute}
	m := metrics{vip: vip.NewMetrics(prometheus.NewRegistry())}
	log := slog.New(slog.DiscardHandler)
	a := &App{cfg: &config.Config{VIPs: []config.VIP{cfg}, Election: config.Election{Lease: time.Second}}, front: newFront(), hardware: newHardware(), log: log}
	var err error
	if a.fence, err = newFence(a.cfg, log); err != nil {
		t.Fatal(err)
	}
	f, err := a.newFloat(cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	var v status.VIP
	f.addStatus(&v)
	if len(v.Fence) != 3 || v.Fence[0].Layer != "deadline" || v.Fence[1].Layer != "kernel" || v.Fence[2].Layer != "lifetime" {
		t.Errorf("%+v", v.Fence)
	}
}

func TestLifetime(t *testing.T) {
	for lease, want := range map[time.Duration]time.Duration{
		300 * time.Millisecond: time.Second, 500 * time.Millisecond: time.Second, time.Second: time.Second,
		time.Second + 1: 2 * time.Second, 1500 * time.Millisecond: 2 * time.Second, 2 * time.Second: 2 * time.Second,
	} {
		if got := lifetime(lease); got != want {
			t.Errorf("lease %v: %v, want %v", lease, got, want)
		}
	}
}

func TestListeningTellsErrors(t *testing.T) {
	cfg := embedded(t, "127.0.0.1:9")
	a, err := New(cfg, Options{Version: "v0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.front.run(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a listener that is not open: %v", err)
	}
}
