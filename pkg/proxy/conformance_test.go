package proxy_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

var large = flag.Bool("proxy.large", false, "let the conformance suite relay 1 GiB each way, too")

// opener starts a listener in front of backends that are ready.
type opener func(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) *front

// dataPaths are the ways to move bytes. Each has to pass all of conformance.
var dataPaths = map[string]opener{
	"event loops": open,
}

// conformance is what holds for a connection through a listener, whatever moves
// its bytes.
var conformance = map[string]func(*testing.T, opener){
	"every size, both ways at once": everySize,
	"ipv4, ipv6 and mixed":          families,
	"the client speaks first":       clientFirst,
	"the server speaks first":       serverFirst,
	"nobody speaks":                 nobodySpeaks,
	"small and large in turn":       smallAndLarge,
	"a reader that stops":           readerStops,
	"an urgent byte":                urgentByte,
	"the client half-closes":        clientHalfCloses,
	"the server half-closes":        serverHalfCloses,
	"a reset by the client":         clientResets,
	"a reset by the server":         serverResets,
	"a reset after half-close":      resetAfterHalfClose,
	"a reset amid a transfer":       resetAmidTransfer,
	"idle":                          idleEnds,
	"idle is not slow":              idleSpares,
	"half-closed and silent":        halfClosedEnds,
	"half-closed and slow":          halfClosedSpares,
	"half-closed, a slow reader":    halfClosedSlowReader,
	"round robin":                   roundRobin,
	"a refused connect":             refusedConnect,
	"a blackholed connect":          blackholedConnect,
	"nothing ready":                 nothingReady,
	"all connects fail":             allFail,
	"a limit of connections":        limitConnections,
	"allowed sources":               allowedSources,
	"reset all":                     resetAll,
	"reset while connecting":        resetConnecting,
	"drain to the end":              drainToTheEnd,
	"drain no longer":               drainNoLonger,
	"drain while connecting":        drainConnecting,
	"counted":                       counted,
	"counted while it goes on":      countedMeanwhile,
}

func TestConformance(t *testing.T) {
	for path, open := range dataPaths {
		t.Run(path, func(t *testing.T) {
			for name, check := range conformance {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					check(t, open)
				})
			}
		})
	}
}

func everySize(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	sizes := []int64{0, 1, 2, 1447, 16<<10 - 1, 16 << 10, 16<<10 + 1, 64 << 10, 256<<10 + 1, 1 << 20, 16 << 20}
	if *large {
		sizes = append(sizes, 1<<30)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			client, server := f.connect(t, b)
			exchange(t, client, server, n)
		})
	}
}

func families(t *testing.T, open opener) {
	v6 := netip.MustParseAddrPort("[::1]:0")
	if ln, err := net.Listen("tcp6", v6.String()); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		ln.Close()
	}
	for _, at := range []netip.AddrPort{loopback, v6} {
		for _, behind := range []netip.AddrPort{loopback, v6} {
			b := newBackendOn(t, behind)
			f := open(t, proxy.Config{Bind: at}, b.addr)
			client, server := f.connect(t, b)
			exchange(t, client, server, 100_000)
		}
	}
}

func clientFirst(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, client, "hello")
	hear(t, server, "hello")
	say(t, server, "welcome")
	hear(t, client, "welcome")
}

func serverFirst(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, server, "220 ready")
	hear(t, client, "220 ready")
	say(t, client, "thanks")
	hear(t, server, "thanks")
}

func nobodySpeaks(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	hearEOF(t, server)
	server.Close()
	eventually(t, "the connection is gone", func() bool { return f.Status().Active == 0 })
}

func smallAndLarge(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	buf := make([]byte, 1<<20)
	for i := range 200 {
		n := []int{1, 200, 1 << 10, 20 << 10, 1 << 20}[i%5]
		sent := make(chan error, 1)
		go func() {
			_, err := io.Copy(client, script(byte(i), int64(n)))
			sent <- err
		}()
		want, _ := io.ReadAll(script(byte(i), int64(n)))
		if _, err := io.ReadFull(server, buf[:n]); err != nil {
			t.Fatal(err)
		}
		if string(want) != string(buf[:n]) {
			t.Fatalf("message %d of %d bytes arrived as something else", i, n)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
}

// readerStops: a writer is stopped by a reader that does not read, and nothing
// is lost when it reads again.
func readerStops(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	const most = 256 << 20 // far more than all buffers on the way
	src := script(7, most)
	sent, buf := int64(0), make([]byte, 64<<10)
	for {
		n, _ := io.ReadFull(src, buf)
		// No event says that nothing will move any more.
		client.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := client.Write(buf[:n])
		sent += int64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if sent == most {
			t.Fatalf("%d bytes vanished into a proxy whose backend reads none", most)
		}
	}
	finish(t, client)
	if err := receive(server, 7, sent); err != nil {
		t.Fatal(err)
	}
}

// urgentByte: the stream goes on around an urgent byte, which may be lost.
func urgentByte(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	const n = 100_000
	before, _ := io.ReadAll(script(1, n))
	after, _ := io.ReadAll(script(2, n))
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(before)
		rc, _ := client.SyscallConn()
		err = errors.Join(err, rc.Write(func(fd uintptr) bool {
			return !errors.Is(unix.Send(int(fd), []byte("!"), unix.MSG_OOB), unix.EAGAIN)
		}))
		_, werr := client.Write(after)
		sent <- errors.Join(err, werr, client.CloseWrite())
	}()
	got, err := io.ReadAll(server)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	all := string(before) + string(after)
	if len(got) == len(all)+1 {
		all = string(before) + "!" + string(after)
	}
	if string(got) != all {
		t.Fatalf("%d bytes arrived, and not those around the urgent byte", len(got))
	}
}

func clientHalfCloses(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, client, "question")
	finish(t, client)
	hear(t, server, "question")
	hearEOF(t, server)
	say(t, server, "answer")
	hear(t, client, "answer")
	server.Close()
	hearEOF(t, client)
}

func serverHalfCloses(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, server, "that was all")
	finish(t, server)
	hear(t, client, "that was all")
	hearEOF(t, client)
	say(t, client, "not for me")
	hear(t, server, "not for me")
	client.Close()
	hearEOF(t, server)
}

func clientResets(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	abort(t, client)
	hearReset(t, server)
}

func serverResets(t *testing.T, open opener) {
	b := newBackend(t)
	client, server := open(t, proxy.Config{}, b.addr).connect(t, b)
	abort(t, server)
	hearReset(t, client)
}

// resetAfterHalfClose: who has sent its FIN and then dies is noticed although
// nobody reads from or writes to it.
func resetAfterHalfClose(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	finish(t, server)
	hearEOF(t, client)
	abort(t, server)
	resetSilently(t, client)

	client, server = f.connect(t, b)
	finish(t, client)
	hearEOF(t, server)
	abort(t, client)
	resetSilently(t, server)
}

func resetAmidTransfer(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(client, script(1, 1<<40))
		sent <- err
	}()
	if _, err := io.CopyN(io.Discard, server, 1<<20); err != nil {
		t.Fatal(err)
	}
	abort(t, server)
	if err := <-sent; !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
		t.Errorf("write gave %v, want ECONNRESET or EPIPE", err)
	}
	eventually(t, "the connection is gone", func() bool { return f.Status().Active == 0 })
}

func idleEnds(t *testing.T, open opener) {
	const idle = 300 * time.Millisecond
	b := newBackend(t)
	client, server := open(t, proxy.Config{Timeouts: proxy.Timeouts{Idle: idle}}, b.addr).connect(t, b)
	say(t, client, "x")
	last := time.Now()
	hear(t, server, "x")
	hearReset(t, client)
	if d := time.Since(last); d < idle {
		t.Errorf("ended after %s, too early", d)
	}
	hearReset(t, server)
}

// pings says something every now and then for d.
func pings(t *testing.T, from, to *net.TCPConn, every, d time.Duration) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		say(t, from, "x")
		hear(t, to, "x")
	}
}

func idleSpares(t *testing.T, open opener) {
	const idle = 2 * time.Second
	b := newBackend(t)
	client, server := open(t, proxy.Config{Timeouts: proxy.Timeouts{Idle: idle}}, b.addr).connect(t, b)
	pings(t, server, client, idle/10, 2*idle)
}

func halfClosedEnds(t *testing.T, open opener) {
	const limit = 300 * time.Millisecond
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Idle: time.Hour, HalfClosed: limit}}, b.addr)
	client, server := f.connect(t, b)
	start := time.Now()
	finish(t, client)
	hearEOF(t, server)
	hearReset(t, client)
	if d := time.Since(start); d < limit {
		t.Errorf("ended after %s, too early", d)
	}
	resetSilently(t, server)
}

func halfClosedSpares(t *testing.T, open opener) {
	const limit = 2 * time.Second
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{HalfClosed: limit}}, b.addr)
	client, server := f.connect(t, b)
	finish(t, client)
	hearEOF(t, server)
	pings(t, server, client, limit/10, 2*limit)
	server.Close()
	hearEOF(t, client)
}

// halfClosedSlowReader: the sender wrote all at once, only the reader is slow;
// for a proxy a single write may take longer than the limit.
func halfClosedSlowReader(t *testing.T, open opener) {
	const limit, n = 2 * time.Second, 16 << 20
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{HalfClosed: limit}}, b.addr)
	client, server := f.connect(t, b)
	client.SetReadBuffer(16 << 10)
	finish(t, client)
	hearEOF(t, server)
	sent := make(chan error, 1)
	go func() { sent <- send(server, 3, n) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	slow := readerFunc(func(p []byte) (int, error) {
		<-tick.C
		return client.Read(p[:min(len(p), 64<<10)])
	})
	start := time.Now()
	want, _, _ := digest(script(3, n))
	got, _, err := digest(slow)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatal("bytes were lost")
	}
	if d := time.Since(start); d < 2*limit {
		t.Errorf("the reader took only %s; that proves nothing", d)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func roundRobin(t *testing.T, open opener) {
	addrs := []netip.AddrPort{serving(t, saying("a")), serving(t, saying("b")), serving(t, saying("c"))}
	f := open(t, proxy.Config{}, addrs...)
	share := func(n int) map[string]int {
		got := map[string]int{}
		for range n {
			got[answer(t, f)]++
		}
		return got
	}
	expect := func(got, want map[string]int) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("distribution %v, want %v", got, want)
		}
	}
	expect(share(60), map[string]int{"a": 20, "b": 20, "c": 20})
	f.pool.SetReady(addrs[1], false)
	expect(share(60), map[string]int{"a": 30, "c": 30})
	f.pool.SetReady(addrs[1], true)
	expect(share(60), map[string]int{"a": 20, "b": 20, "c": 20})
	for _, b := range f.Status().Backends {
		if want := map[netip.AddrPort]uint64{addrs[0]: 70, addrs[1]: 40, addrs[2]: 70}[b.Backend]; b.Connections != want {
			t.Errorf("%s: %d connections, want %d", b.Backend, b.Connections, want)
		}
	}
}

// refusedConnect: a backend that is gone but still called ready costs no client
// anything, and its load falls on the others alike.
func refusedConnect(t *testing.T, open opener) {
	f := open(t, proxy.Config{}, refusing(t), serving(t, saying("b")), serving(t, saying("c")))
	got := map[string]int{}
	for range 60 {
		got[answer(t, f)]++
	}
	if got["b"] != 30 || got["c"] != 30 {
		t.Errorf("distribution %v, want 30 each", got)
	}
	if n := f.value(t, "kshalb_proxy_connections_total", "connect_refused"); n == 0 {
		t.Error("no refused connect was counted")
	}
	if n := f.value(t, "kshalb_proxy_connections_total", "ok"); n != 60 {
		t.Errorf("%v connects counted as ok, want 60", n)
	}
}

func blackholedConnect(t *testing.T, open opener) {
	const limit = 200 * time.Millisecond
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: limit}}, blackhole(t), serving(t, saying("b")))
	start := time.Now()
	if got := answer(t, f); got != "b" {
		t.Errorf("answered by %q", got)
	}
	if d := time.Since(start); d < limit {
		t.Errorf("the first backend was given up after %s", d)
	}
	if n := f.value(t, "kshalb_proxy_connections_total", "connect_timeout"); n != 1 {
		t.Errorf("%v timeouts counted, want 1", n)
	}
}

func nothingReady(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	f.pool.SetReady(b.addr, false)
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "no_backend"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	f.pool.SetReady(b.addr, true)
	client, server := f.connect(t, b)
	exchange(t, client, server, 1)
}

func allFail(t *testing.T, open opener) {
	f := open(t, proxy.Config{}, refusing(t), refusing(t))
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "all_failed"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	if n := f.value(t, "kshalb_proxy_connections_total", "connect_refused"); n != 2 {
		t.Errorf("%v attempts counted, want each backend once", n)
	}
}

func limitConnections(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{MaxConnections: 2}, b.addr)
	client, server := f.connect(t, b)
	f.connect(t, b)
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "limit"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	exchange(t, client, server, 1000) // ends it
	eventually(t, "there is room again", func() bool { return f.Status().Active == 1 })
	f.connect(t, b)
}

func allowedSources(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, b.addr)
	f.connect(t, b)
	f = open(t, proxy.Config{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, b.addr)
	refused(t, f)
	if n := f.value(t, "kshalb_proxy_refused_total", "not_allowed"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}

func resetAll(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	talk(t, client, server)
	half, halfServer := f.connect(t, b)
	finish(t, half)
	hearEOF(t, halfServer)
	if n := f.Reset(); n != 2 {
		t.Errorf("%d connections were reset, want 2", n)
	}
	for _, c := range []*net.TCPConn{client, server, half} {
		hearReset(t, c)
	}
	resetSilently(t, halfServer)
	if n := f.Reset(); n != 0 {
		t.Errorf("%d connections were reset a second time", n)
	}
	client, server = f.connect(t, b)
	exchange(t, client, server, 1)
}

func resetConnecting(t *testing.T, open opener) {
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: time.Hour}}, blackhole(t))
	client := f.dial(t)
	eventually(t, "the client is accepted", func() bool { return f.Status().Active == 1 })
	if n := f.Reset(); n != 1 {
		t.Errorf("%d connections were reset, want 1", n)
	}
	hearReset(t, client)
	eventually(t, "the connection is gone", func() bool { return f.Status().Active == 0 })
	if n := f.value(t, "kshalb_proxy_connections_total"); n != 0 {
		t.Errorf("%v attempts counted; the backend did not fail, it was not waited for", n)
	}
}

func drainToTheEnd(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Drain: time.Hour}}, b.addr)
	client, server := f.connect(t, b)
	f.end()
	eventually(t, "the socket is closed", func() bool {
		c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(f.Addr()))
		if err == nil {
			abort(t, c)
		}
		return errors.Is(err, unix.ECONNREFUSED)
	})
	say(t, client, "still here?")
	hear(t, server, "still here?")
	exchange(t, client, server, 1<<20)
	f.stop(t)
}

func drainNoLonger(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Drain: 50 * time.Millisecond}}, b.addr)
	client, server := f.connect(t, b)
	talk(t, client, server)
	f.stop(t)
	hearReset(t, client)
	hearReset(t, server)
}

func drainConnecting(t *testing.T, open opener) {
	f := open(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: time.Hour, Drain: 50 * time.Millisecond}}, blackhole(t))
	client := f.dial(t)
	eventually(t, "the client is accepted", func() bool { return f.Status().Active == 1 })
	f.stop(t)
	hearReset(t, client)
}

func counted(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	eventually(t, "the connection is active", func() bool {
		return f.value(t, "kshalb_proxy_connections_active", b.addr.String()) == 1
	})
	if s := f.Status(); s.Active != 1 || len(s.Backends) != 1 || s.Backends[0] !=
		(proxy.BackendStatus{Backend: b.addr, Ready: true, Active: 1, Connections: 1}) {
		t.Errorf("status %+v", s)
	}
	go func() { send(client, 1, 300_000) }()
	if err := receive(server, 1, 300_000); err != nil {
		t.Fatal(err)
	}
	send(server, 2, 20)
	if err := receive(client, 2, 20); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is gone", func() bool {
		return f.value(t, "kshalb_proxy_connections_active", b.addr.String()) == 0
	})
	if in, out := f.value(t, "kshalb_proxy_bytes_total", "in"), f.value(t, "kshalb_proxy_bytes_total", "out"); in != 300_000 || out != 20 {
		t.Errorf("%v bytes in and %v out", in, out)
	}
	if n := f.value(t, "kshalb_proxy_connect_duration_seconds"); n != 1 {
		t.Errorf("%v connects measured, want 1", n)
	}
}

// countedMeanwhile: a watch that lives for days is seen in the counters.
func countedMeanwhile(t *testing.T, open opener) {
	b := newBackend(t)
	f := open(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	say(t, server, "event")
	hear(t, client, "event")
	eventually(t, "the bytes are counted", func() bool { return f.value(t, "kshalb_proxy_bytes_total", "out") == 5 })
}
