package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// giveUp is how long a client waits for an answer, or for a connection.
const giveUp = 20 * time.Second

// road is how clients come through the address to an API server.
type road struct {
	p   *controlPlane
	to  netip.AddrPort
	tls *tls.Config
}

// dial makes a TLS connection to any API server.
func (r *road) dial(ctx context.Context, protocols ...string) (*tls.Conn, error) {
	raw, err := r.p.Client.DialContext(ctx, "tcp", r.to.String())
	if err != nil {
		return nil, err
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetKeepAlivePeriod(30 * time.Second) // as client-go
	}
	config := r.tls.Clone()
	config.NextProtos = protocols
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("greet the API server: %w", err)
	}
	return conn, nil
}

// dialTo makes one to a master's API server, which balancers lead to sooner or
// later; API servers have their masters' names.
func (r *road) dialTo(ctx context.Context, master string, protocols ...string) (*tls.Conn, error) {
	for {
		conn, err := r.dial(ctx, protocols...)
		if err != nil {
			return nil, fmt.Errorf("reach the API server of %s: %w", master, err)
		}
		if server(conn) == master {
			return conn, nil
		}
		conn.Close()
	}
}

func server(conn *tls.Conn) string {
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// version asks for /version, which everybody may, and which API servers answer
// also while they are about to stop.
func version(conn *tls.Conn, answers *bufio.Reader) error {
	if _, err := io.WriteString(conn, "GET /version HTTP/1.1\r\nHost: "+cluster.Name+"\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// statusError is an answer with another status than 200.
type statusError string

func (e statusError) Error() string { return "the API server answered " + string(e) }

// ticks yields at once and then at an interval until ctx is done.
func ticks(ctx context.Context, every time.Duration) func(func() bool) {
	return func(yield func() bool) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for ctx.Err() == nil && yield() {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
}
