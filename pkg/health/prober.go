package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Prober is a way to ask targets. It is safe for concurrent use.
type Prober interface {
	// Open makes a session with a target. It does nothing yet.
	Open(target netip.AddrPort) Session
}

// Session asks one target again and again. It is used by one goroutine at a time.
type Session interface {
	// Probe asks once. Nil means that the target is ready, a [*NotReady] that it
	// answers and is not; anything else, that it does not answer, but for what this
	// host lacks itself (EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL). fresh asks
	// on a new connection, as a new client's would be. It returns soon after ctx ends.
	Probe(ctx context.Context, fresh bool) error
	// Expiry is when the certificate ends that the target showed last; the zero time:
	// it has shown none.
	Expiry() time.Time
	// Close ends the connection that the session keeps, if it does.
	Close()
}

// NotReady is a target that answers, and asks for no new connections.
type NotReady struct{ Reason string }

// Error returns the reason.
func (n *NotReady) Error() string { return n.Reason }

// silence is a kept connection on which no answer came in time. The target may be
// slow, or dead.
type silence struct{ err error }

func (s *silence) Error() string { return "no answer on a kept connection: " + s.err.Error() }
func (s *silence) Unwrap() error { return s.err }

// TCP is a Prober that connects, says preface, and closes again, with a FIN.
func TCP(preface []byte) Prober { return tcpProber{preface} }

type tcpProber struct{ preface []byte }

// Open implements Prober.
func (p tcpProber) Open(target netip.AddrPort) Session { return tcpSession{p.preface, target} }

type tcpSession struct {
	preface []byte
	target  netip.AddrPort
}

// Probe implements Session.
func (s tcpSession) Probe(ctx context.Context, _ bool) error {
	conn, err := dial(ctx, s.target, s.preface)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Expiry implements Session.
func (tcpSession) Expiry() time.Time { return time.Time{} }

// Close implements Session; nothing is kept.
func (tcpSession) Close() {}

// dial connects and says the preface.
func dial(ctx context.Context, target netip.AddrPort, preface []byte) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", target.String())
	if err != nil || len(preface) == 0 {
		return conn, err
	}
	if _, err := conn.Write(preface); err != nil { // a few bytes: they never block
		_ = conn.Close()
		return nil, fmt.Errorf("write the preface: %w", err)
	}
	return conn, nil
}
