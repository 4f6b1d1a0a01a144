package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrNotShared says that nobody shares the port of a Listener that is to share
// it.
var ErrNotShared = errors.New("nobody has the port who could share it")

// Config is what a Listener does.
type Config struct {
	Name string // label of metrics and logs

	// Bind is where the socket is; port 0 lets the kernel choose. An IPv4
	// address takes IPv4 only; [::] takes both families.
	Bind netip.AddrPort
	// FreeBind allows an address that is not on this host yet (IP_FREEBIND,
	// IPV6_FREEBIND): standbys wait on the VIP before they hold it.
	FreeBind bool
	// Share binds beside a socket that another process of the same user listens
	// on with SO_REUSEPORT, on all addresses: Bind is the more specific one and
	// gets all its clients. Without such a socket Listen fails with ErrNotShared,
	// since then nobody's leave is known for the next one who wants the port.
	Share bool

	Timeouts Timeouts

	Limiter *Limiter       // what clients may have; nil is no limit
	Allow   []netip.Prefix // client addresses that are served; empty is everybody

	// ProxyProtocol is the version of the PROXY protocol in which each connection
	// to a backend begins by saying whose it is (haproxy.org,
	// doc/proxy-protocol.txt): 1, a line of text, or 2; 0 is not at all. A backend
	// has to expect it. What is said is not counted as a client's bytes; a probe of
	// such a backend begins with LocalHeader.
	ProxyProtocol int
	// Advertised is where clients connect in their own eyes, when that is not
	// Bind's port: what is said to a backend. When it is invalid, or of another
	// family than the client, that is the socket's own address.
	Advertised netip.AddrPort

	// Transparent has backends see the client's own address as the source of the
	// connection, with another port (IP_TRANSPARENT; ip(7)). It needs
	// CAP_NET_ADMIN, answers of the backends that come back to this host, and
	// rules by which the host takes those for its own. A client whose address is
	// of another family than the backend's, or a loopback one, can't connect to
	// it: such an attempt counts as failed, and nobody appears at a backend as
	// somebody else instead.
	Transparent bool

	// Rebalance has clients leave a backend that has too many of them.
	Rebalance Rebalance

	// Report is told what connections find out about a backend. It is called from
	// the loops and must not block. nil: nobody wants to know.
	Report func(backend netip.AddrPort, e Evidence)
}

// Evidence is what speaks against a backend.
type Evidence struct {
	Reason string
	// Provocable says that a client can have caused it.
	Provocable bool
}

// Timeouts bound the phases of a connection.
type Timeouts struct {
	// Connect bounds one attempt to connect to a backend; 0 is 2 s.
	Connect time.Duration
	// Retry does so while there is another backend to try; 0 is Connect.
	Retry time.Duration
	// Idle ends a connection (RST) when no byte has moved in either direction
	// for it (measured to a quarter of it, never early); 0 is never.
	Idle time.Duration
	// HalfClosed is the same for a connection of which one direction has
	// ended; the shorter one counts. A transfer that still moves, however
	// slowly, is not cut. 0 is never.
	HalfClosed time.Duration
	// Drain is how long live connections may go on after Run's context has
	// ended; 0 resets them at once.
	Drain time.Duration
	// User is how long a peer may leave sent bytes unacknowledged, or refuse
	// to take bytes that wait for it, before the connection is given up:
	// TCP_USER_TIMEOUT (RFC 5482; tcp(7)) on both legs. Keepalive is tuned to
	// find dead peers of silent legs within about the same time. In
	// milliseconds; 0 leaves both to the kernel, with a keepalive of a minute.
	User time.Duration
}

// Status is what a Listener says of itself at one moment.
type Status struct {
	Active   int64             // clients, connecting ones too
	Refused  map[string]uint64 // clients so far, by reason; those of other listeners of the same name too
	Backends []BackendStatus
}

// BackendStatus is a Listener's view of one backend of its pool.
type BackendStatus struct {
	Backend     netip.AddrPort
	State       State
	Active      int64  // connections relayed now
	Connections uint64 // connections relayed since the start
}

// A Listener accepts connections on one address and relays each to a backend of
// its pool. It serves once: Listen, then Run. Reset, ResetBackend and Status may
// be called at any time, concurrently.
type Listener struct {
	cfg     Config
	pool    *Pool
	loops   *Loops
	log     *slog.Logger
	metrics *Metrics

	// What its connections need, made once.
	legOptions     []option
	connectTimeout time.Duration
	limiter        *Limiter
	asksWho        bool     // the address of a client matters
	stats          sync.Map // from *member to *backendStats
	refused        [reasons]prometheus.Counter

	live    atomic.Int64 // clients that were let in
	episode episode
	serving sync.WaitGroup // loops that have a socket or a connection of it

	open atomic.Pointer[opened] // nil before Listen
}

// opened is what a listener has from Listen on.
type opened struct {
	addr    netip.AddrPort
	sockets []int32     // one for each loop
	run     atomic.Bool // Run was called
}

// NewListener makes a listener that is not open yet, whose connections loops
// carry. Its series are there from now on, at zero.
func NewListener(cfg Config, pool *Pool, loops *Loops, log *slog.Logger, m *Metrics) *Listener {
	l := &Listener{
		cfg:            cfg,
		pool:           pool,
		loops:          loops,
		log:            log.With("listener", cfg.Name),
		metrics:        m,
		legOptions:     legOptions(cfg.Timeouts.User),
		connectTimeout: cfg.Timeouts.Connect,
		limiter:        cmp.Or(cfg.Limiter, NewLimiter(Limits{})),
		refused:        m.refusals(cfg.Name),
	}
	l.asksWho = len(cfg.Allow) > 0 || pool.cfg.Balance == Source || l.limiter.asksWho()
	if l.connectTimeout <= 0 {
		l.connectTimeout = defaultConnect
	}
	l.each(func(*member, State, *backendStats) {})
	return l
}

// Listen opens the socket. From then on the kernel completes clients'
// handshakes; they are served once Run is called. A Listener that has been
// opened is closed by Run only, with a context that has ended if need be.
//
// The error names the address and what can be done; it matches the system
// call's (syscall.EADDRINUSE, EADDRNOTAVAIL, EACCES), or ErrNotShared.
func (l *Listener) Listen() error {
	if l.open.Load() != nil {
		return fmt.Errorf("listen on %s: listener %s is open already", l.cfg.Bind, l.cfg.Name)
	}
	if err := checkIdentity(l.cfg); err != nil {
		return err
	}
	sockets, err := listen(l.cfg, len(l.loops.loops))
	if err != nil {
		return listenError(l.cfg.Bind, err)
	}
	l.open.Store(&opened{addr: boundTo(sockets[0]), sockets: sockets})
	l.metrics.active.add(l)
	return nil
}

// listenError says what stands in the way of listening and what to do.
func listenError(bind netip.AddrPort, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = fmt.Sprintf("; another process listens there or on all addresses, as a kube-apiserver does on its port"+
			" (`ss -Hltnp sport = :%d` names it): choose another port", bind.Port())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "; no interface of this host has the address: check it, or let the listener wait for it (free bind)"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		hint = "; ports below 1024 (net.ipv4.ip_unprivileged_port_start) need CAP_NET_BIND_SERVICE: grant it, or choose a higher port"
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = errno // what is around it says less than the hint
	}
	return fmt.Errorf("listen on %s: %w%s", bind, err, hint)
}

// Addr returns the address of the socket, with the port that the kernel chose;
// before Listen, Config.Bind.
func (l *Listener) Addr() netip.AddrPort {
	if o := l.open.Load(); o != nil {
		return o.addr
	}
	return l.cfg.Bind
}

// Run accepts and relays until ctx ends. Then it closes the socket at once (the
// kernel resets clients that were not accepted yet), lets the live connections
// go on for up to Timeouts.Drain, resets those that are left, and returns nil
// when all are gone. It waits for the loops to run; when they end before it
// does, so do its connections, and that is an error.
func (l *Listener) Run(ctx context.Context) error {
	o := l.open.Load()
	if o == nil {
		return fmt.Errorf("run listener %s: it is not open; call Listen first", l.cfg.Name)
	}
	if o.run.Swap(true) {
		return fmt.Errorf("run listener %s: it has run already; make a new one", l.cfg.Name)
	}
	defer l.metrics.active.remove(l)
	if !l.loops.await(ctx) {
		closeAll(o.sockets)
		return nil
	}
	defer l.end()
	if err := l.begin(o); err != nil {
		return err
	}
	l.log.Info("listening", "address", o.addr, "backends", len(l.pool.Backends()))
	l.keepEven(ctx)
	select {
	case <-ctx.Done():
		return nil
	case <-l.loops.ended:
		return fmt.Errorf("run listener %s: the event loops have ended", l.cfg.Name)
	}
}

// begin gives each loop its socket.
func (l *Listener) begin(o *opened) error {
	var failed []int32
	for i, lp := range l.loops.loops {
		l.serving.Add(1)
		if <-lp.mail.send(message{order: serve, on: l, socket: o.sockets[i]}) == 0 {
			l.serving.Done()
			failed = append(failed, o.sockets[i])
		}
	}
	closeAll(failed)
	if len(failed) > 0 {
		return fmt.Errorf("run listener %s: the event loops cannot take its socket: they have ended, or the kernel has no memory for it", l.cfg.Name)
	}
	return nil
}

// end closes the socket and waits for the live connections, not longer than it
// may.
func (l *Listener) end() {
	l.loops.tell(message{order: stopAccepting, on: l}) // the port is free from here on
	l.log.Info("draining", "connections", l.live.Load(), "for", l.cfg.Timeouts.Drain)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		l.serving.Wait()
	}()
	timer := time.NewTimer(l.cfg.Timeouts.Drain)
	defer timer.Stop()
	reset := 0
	select {
	case <-gone:
	case <-timer.C:
		reset = l.Reset()
		<-gone
	}
	l.log.Info("drained", "reset", reset)
}

// Reset resets every live connection and returns how many there were. The RSTs
// to the clients have been sent when it returns: the address may go then. Those
// to the backends follow. Accepting goes on.
func (l *Listener) Reset() int { return l.reset(message{order: resetAll, on: l}) }

// ResetBackend does so for the connections that are relayed to one backend, also
// to one that the pool has no more. Those that are still connecting to it go
// elsewhere.
func (l *Listener) ResetBackend(b netip.AddrPort) int {
	m := l.pool.member(b)
	if m == nil {
		return 0
	}
	return l.reset(message{order: resetBackend, on: l, backend: m})
}

// reset asks no loop as long as there can be no connection: one that does not
// run yet would answer late.
func (l *Listener) reset(what message) int {
	if o := l.open.Load(); o == nil || !o.run.Load() || !l.loops.running() {
		return 0
	}
	return l.loops.tell(what)
}

// Received returns how many bytes have come from a backend and were passed on, on
// all connections so far, those of other listeners of the same name too.
func (l *Listener) Received(b netip.AddrPort) uint64 {
	m := l.pool.member(b)
	if m == nil {
		return 0
	}
	return l.statsOf(m).received()
}

// Status returns the listener's state now; backends are in the pool's order.
func (l *Listener) Status() Status {
	s := Status{Active: l.live.Load(), Refused: make(map[string]uint64)}
	for why, n := range l.refused {
		if n := valueOf(n); n > 0 {
			s.Refused[reason(why).String()] = n
		}
	}
	l.each(func(m *member, state State, b *backendStats) {
		s.Backends = append(s.Backends, BackendStatus{
			Backend: m.address, State: state, Active: b.active.Load(), Connections: b.relayed.Load(),
		})
	})
	return s
}

// each calls do for the pool's backends, in its order.
func (l *Listener) each(do func(*member, State, *backendStats)) {
	members, states := l.pool.states()
	for i, m := range members {
		do(m, states[i], l.statsOf(m))
	}
}

// statsOf returns what is counted of a backend. Counters of one that the pool has
// no more go when a new one comes.
func (l *Listener) statsOf(m *member) *backendStats {
	if s, is := l.stats.Load(m); is {
		return s.(*backendStats)
	}
	l.stats.Range(func(old, s any) bool {
		if m := old.(*member); m.gone.Load() && m.load.Load() == 0 {
			l.stats.Delete(old)
			l.metrics.forget(l.cfg.Name, s.(*backendStats).address)
		}
		return true
	})
	s, _ := l.stats.LoadOrStore(m, l.metrics.backend(l.cfg.Name, m.address))
	return s.(*backendStats)
}

// accuse tells what a connection found out about a backend.
func (l *Listener) accuse(m *member, e Evidence) {
	if l.cfg.Report != nil {
		l.cfg.Report(m.address, e)
	}
}
