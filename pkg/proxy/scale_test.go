package proxy_test

import (
	"flag"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

var connections = flag.Int("proxy.connections", 20_000, "how many connections TestManyConnections holds at once")

// quickly is how many connections there are when all takes longer.
const quickly = 4000

// howMany returns how many connections of two descriptors each a process may
// have, up to most.
func howMany(t *testing.T, most int) int {
	t.Helper()
	if raced || testing.Short() {
		most = min(most, quickly)
	}
	var limit unix.Rlimit // the runtime has raised it to the hard one
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const others = 300
	if can := int(limit.Max-others) / 2; limit.Max < 1<<31 && can < most {
		t.Logf("this process may have %d descriptors: %d connections instead of %d", limit.Max, can, most)
		most = can
	}
	return most
}

// TestManyConnections holds many connections at once. What each costs is seen in
// the process that relays them and does nothing else.
func TestManyConnections(t *testing.T) {
	const batch = 256
	n := howMany(t, *connections) / batch * batch
	lns, addrs := listeners(t, 4)
	c := newChild(t, addrs...)
	c.ask(t, "run")
	to := netip.MustParseAddrPort(c.ask(t, "address")[0])
	var clients, servers crowd
	defer clients.leave()
	defer servers.leave()
	add := func() {
		clients.arrive(t, to, batch, 0)
		for _, ln := range lns { // they take turns
			if err := servers.accept(ln, batch/len(lns)); err != nil {
				t.Fatalf("after %d connections: accept: %v", len(servers), err)
			}
		}
	}
	everybodySpeaks := func() {
		t.Helper()
		clients.say(t)
		if err := servers.echo(); err != nil {
			t.Fatal(err)
		}
		clients.hear(t)
	}

	add() // what is there for the first is not counted
	everybodySpeaks()
	user, resident, fds := c.askNumber(t, "memory"), c.resident(t), c.descriptors(t)
	start := time.Now()
	for len(clients) < n {
		add()
	}
	everybodySpeaks()
	took := time.Since(start)
	more := n - batch
	user, resident = (c.askNumber(t, "memory")-user)/more, (c.resident(t)-resident)/more
	t.Logf("%d connections in %s; %d bytes of heap and stack each, %d resident", n, took.Round(time.Millisecond), user, resident)
	if !raced && max(user, resident) > 1<<10 {
		t.Error("an idle connection takes more than 1 KiB")
	}
	if got := c.descriptors(t) - fds; got != 2*more {
		t.Errorf("%d connections have %d descriptors, want 2 each", more, got)
	}
	if got := c.askNumber(t, "clients"); got != n {
		t.Errorf("%d clients, want %d", got, n)
	}
	resetMany(t, c, clients, servers)
	fdsOfNone := fds - 2*batch
	if got := c.descriptors(t); got != fdsOfNone {
		t.Errorf("%d descriptors are left, want %d", got, fdsOfNone)
	}
}

// TestSlowReaders: clients that never read what they are sent hold no more than the
// pipes that there are for all, and a block each, besides what the kernel keeps for
// them.
func TestSlowReaders(t *testing.T) {
	n := howMany(t, 600) // more than there are pipes for
	lns, addrs := listeners(t, 1)
	c := newChild(t, addrs...)
	c.ask(t, "run")
	to := netip.MustParseAddrPort(c.ask(t, "address")[0])
	var clients, servers crowd
	defer clients.leave()
	defer servers.leave()
	clients.arrive(t, to, n, 0, narrow)
	if err := servers.accept(lns[0], n); err != nil {
		t.Fatal(err)
	}
	user, fds := c.askNumber(t, "memory"), c.descriptors(t)
	sent := servers.flood(t)
	user, fds = (c.askNumber(t, "memory")-user)/n, c.descriptors(t)-fds
	t.Logf("%d MiB were taken; %d bytes of heap and stack for each who does not read, and %d descriptors in all", sent>>20, user, fds)
	if !raced && user > 17<<10 {
		t.Error("one who does not read takes more than a block of 16 KiB")
	}
	most := proxy.BudgetOf(proxy.Demand{Connections: n}).Files - 2*n
	if fds > most {
		t.Errorf("%d descriptors are in pipes, want %d at most", fds, most)
	}
	c.ask(t, "reset")
	eventually(t, "all are forgotten", func() bool { return c.askNumber(t, "clients") == 0 })
}

// TestComeAndGo has clients that reset their connection at once: before they are
// accepted, while a backend is connected to, or after. Nothing of them stays, and
// those that were there before go on.
func TestComeAndGo(t *testing.T) {
	n := howMany(t, 5000)
	lns, addrs := listeners(t, 1)
	c := newChild(t, addrs...)
	defer echoAll(lns[0])()
	c.ask(t, "run")
	to := netip.MustParseAddrPort(c.ask(t, "address")[0])
	var before crowd
	defer before.leave()
	before.arrive(t, to, 1, 0)
	lasts := func() {
		t.Helper()
		before.say(t)
		before.hear(t)
	}
	lasts()
	user, fds := c.askNumber(t, "memory"), c.descriptors(t)
	for range n {
		var one crowd
		one.arrive(t, to, 1, unix.SOCK_NONBLOCK)
		one.leave()
	}
	lasts()
	// Some may wait for their accept while the others have gone.
	eventually(t, "all have gone", func() bool { return c.askNumber(t, "clients") == 1 && c.descriptors(t) == fds })
	if user = c.askNumber(t, "memory") - user; !raced && user > 2<<20 {
		t.Errorf("%d clients that came and went have left %d bytes", n, user)
	}
}

// echoAll serves all that come to a listening socket, until the returned func is
// called and the last one has gone.
func echoAll(ln int) (stop func()) {
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			var one crowd
			if one.accept(ln, 1) != nil {
				return
			}
			serving.Go(func() {
				defer one.leave()
				for one.echo() == nil {
				}
			})
		}
	})
	return func() {
		_ = unix.Shutdown(ln, unix.SHUT_RD)
		serving.Wait()
	}
}

// resetMany resets all connections of c, and expects each to be told.
func resetMany(t *testing.T, c *child, clients, servers crowd) {
	t.Helper()
	answer := c.ask(t, "reset")
	t.Logf("reset %s in %s", answer[0], answer[1])
	if took, err := time.ParseDuration(answer[1]); err != nil || took > 10*time.Second {
		t.Errorf("it took %s (%v)", answer[1], err)
	}
	clients.hearReset(t)
	servers.hearReset(t)
	// The last RST to a backend comes a moment before its connection is forgotten.
	eventually(t, "all are forgotten", func() bool { return c.askNumber(t, "clients") == 0 })
}

// TestAcceptBurst has many clients come at once, first to a listener that does
// not run yet (some may not even get into its queue then, and come again), then
// to one that is kept busy. All are served.
func TestAcceptBurst(t *testing.T) {
	n := howMany(t, 5000)
	lns, addrs := listeners(t, 1)
	c := newChild(t, addrs...)
	to := netip.MustParseAddrPort(c.ask(t, "address")[0])
	burst := func(meanwhile func()) {
		var clients, servers crowd
		defer clients.leave()
		defer servers.leave()
		start := time.Now()
		clients.arrive(t, to, n, unix.SOCK_NONBLOCK)
		waiting := clients.unblock(t, 0)
		meanwhile()
		served := make(chan error, 1)
		go func() { served <- servers.accept(lns[0], n) }()
		clients.unblock(t, int(patience.Milliseconds()))
		clients.say(t)
		if err := <-served; err != nil {
			t.Fatalf("after %d of %d: accept: %v", len(servers), n, err)
		}
		if err := servers.echo(); err != nil {
			t.Fatal(err)
		}
		clients.hear(t)
		t.Logf("%d clients, %d of them connected before they were waited for, were served after %s", n, waiting, time.Since(start).Round(time.Millisecond))
	}
	burst(func() { c.ask(t, "run") })
	eventually(t, "all have left", func() bool { return c.askNumber(t, "clients") == 0 })

	// Those of the second burst come beside a transfer that never pauses.
	accepted := make(chan int, 1)
	go func() {
		fd, _, _ := unix.Accept4(lns[0], unix.SOCK_CLOEXEC)
		accepted <- fd
	}()
	client := dial(t, to)
	server := <-accepted
	ended := pour(client)
	dropped := make(chan struct{})
	go func() {
		defer close(dropped)
		drop(server)
	}()
	burst(func() {})
	abort(t, client)
	<-ended
	<-dropped
	unix.Close(server)
}

// drop reads all that comes.
func drop(fd int) {
	buf := make([]byte, 1<<20)
	for {
		if n, _ := read(fd, buf); n <= 0 {
			return
		}
	}
}

// unblock waits up to ms for each connect to end, and has those sockets block
// from then on. It returns how many they are.
func (c crowd) unblock(t *testing.T, ms int) (connected int) {
	t.Helper()
	for i, fd := range c {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if n, err := uninterrupted(func() (int, error) { return unix.Poll(p, ms) }); err != nil || n == 0 && ms > 0 {
			t.Fatalf("client %d of %d is not connected: %v", i, len(c), err)
		} else if n == 0 {
			continue
		}
		if errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); errno != 0 || err != nil {
			t.Fatalf("client %d of %d: connect: %v", i, len(c), unix.Errno(errno))
		}
		if err := unix.SetNonblock(fd, false); err != nil {
			t.Fatal(err)
		}
		connected++
	}
	return connected
}
