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

// A Listener accepts connections on one address and relays each to a backend of
// its pool. It serves once: Listen, then Run. Reset, ResetBackend and Status may
// be called at any time, concurrently.
type Listener struct {
	now     atomic.Pointer[settings]
	retuned chan struct{} // one slot: now is another
	pool    *Pool
	loops   *Loops
	log     *slog.Logger
	metrics *Metrics

	limiter *Limiter
	stats   sync.Map // from *member to *backendStats
	refused [reasons]prometheus.Counter

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
		retuned: make(chan struct{}, 1),
		pool:    pool,
		loops:   loops,
		log:     log.With("listener", cfg.Name),
		metrics: m,
		limiter: cmp.Or(cfg.Limiter, NewLimiter(Limits{})),
		refused: m.refusals(cfg.Name),
	}
	l.now.Store(newSettings(cfg))
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
	cfg := l.now.Load().Config
	if l.open.Load() != nil {
		return fmt.Errorf("listen on %s: listener %s is open already", cfg.Bind, cfg.Name)
	}
	if err := cfg.Check(); err != nil {
		return err
	}
	sockets, err := listen(cfg, len(l.loops.loops))
	if err != nil {
		return listenError(cfg.Bind, err)
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
	return l.now.Load().Bind
}

// name is Config.Name.
func (l *Listener) name() string { return l.now.Load().Name }

// Run accepts and relays until ctx ends. Then it lets those in who wait already,
// closes the socket (the kernel resets clients amid a handshake), lets the live
// connections go on for up to Timeouts.Drain, resets those that are left, and
// returns nil when all are gone. It waits for the loops to run; when they end before it
// does, so do its connections, and that is an error.
func (l *Listener) Run(ctx context.Context) error {
	o := l.open.Load()
	if o == nil {
		return fmt.Errorf("run listener %s: it is not open; call Listen first", l.name())
	}
	if o.run.Swap(true) {
		return fmt.Errorf("run listener %s: it has run already; make a new one", l.name())
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
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("run listener %s: the event loops have ended", l.name())
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
		return fmt.Errorf("run listener %s: the event loops cannot take its socket: they have ended, or the kernel has no memory for it", l.name())
	}
	return nil
}

// end closes the socket and waits for the live connections, not longer than it
// may.
func (l *Listener) end() {
	l.loops.tell(message{order: stopAccepting, on: l}) // the port is free from here on
	drain := l.Drain()
	l.log.Info("draining", "connections", l.live.Load(), "for", drain)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		l.serving.Wait()
	}()
	timer := time.NewTimer(drain)
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

// StopAccepting does at once what Run does first when its context ends; the port is
// free when it returns. The live connections go on, without a limit until the context
// does end.
func (l *Listener) StopAccepting() { l.reset(message{order: stopAccepting, on: l}) }

// Reset resets every live connection and returns how many there were. The RSTs
// to the clients have been sent when it returns: the address may go then. Those
// to the backends follow. Accepting goes on.
func (l *Listener) Reset() int { return l.reset(message{order: resetAll, on: l}) }

// ResetBackend does so for the connections that are relayed to one backend, also
// to one that the pool has no more. Those that are still connecting to it, or that it
// has not answered yet and that have said nothing but a TLS ClientHello, go elsewhere.
func (l *Listener) ResetBackend(b netip.AddrPort) int {
	m := l.pool.member(b)
	if m == nil {
		return 0
	}
	return l.reset(message{order: resetBackend, on: l, backend: m})
}

// Drain returns how long connections may go on once ctx of Run has ended.
func (l *Listener) Drain() time.Duration { return l.now.Load().Timeouts.Drain }

// reset asks no loop as long as there can be no connection: one that does not
// run yet would answer late.
func (l *Listener) reset(what message) int {
	if o := l.open.Load(); o == nil || !o.run.Load() || !l.loops.running() {
		return 0
	}
	return l.loops.tell(what)
}
