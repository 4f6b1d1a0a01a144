package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// HTTPOptions is what an HTTP Prober asks and expects.
type HTTPOptions struct {
	Path   string // of GET; begins with "/" and may have a query
	Host   string // the header; "" is the target's address and port
	Expect []int  // statuses that mean ready; none is 200
	// TLS is nil for plain HTTP.
	TLS *TLSOptions
	// Preface is said before anything else on each connection, such as the header
	// of the PROXY protocol. It is short.
	Preface []byte
}

// TLSOptions is how an HTTPS Prober knows a target, over TLS 1.2 or later.
type TLSOptions struct {
	// ServerName is sent (SNI) and looked for in the certificate. "" looks for the
	// target's IP address, which kube-apiserver certificates have as a SAN, and
	// sends nothing (RFC 6066, section 3).
	ServerName string
	// Roots returns the CAs by which certificates are verified, and is asked for
	// each connection. Without CAs, or without Roots, nothing is verified: a probe
	// still tells a living server from a dead one, and says nothing secret.
	Roots func() *x509.CertPool
	// Certificate returns this client's, if it is asked for one. nil: there is none.
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
}

// HTTP is a Prober that asks by HTTP/1.1. It keeps one connection to each target
// for as long as that allows it, since a TLS handshake for each probe is not free.
//
// No answer in time means different things: on a connection that was kept, nothing
// for certain; on a fresh one whose TLS handshake was made in time, that the server
// is alive and slow, and so not ready; else, that it does not answer.
func HTTP(o HTTPOptions) Prober {
	if len(o.Expect) == 0 {
		o.Expect = []int{http.StatusOK}
	}
	return &httpProber{o}
}

type httpProber struct{ HTTPOptions }

// Open implements Prober.
func (p *httpProber) Open(target netip.AddrPort) Session {
	return &httpSession{httpProber: p, target: target}
}

type httpSession struct {
	*httpProber
	target netip.AddrPort
	conn   net.Conn // nil: none is kept
	in     *bufio.Reader
}

// Close implements Session.
func (s *httpSession) Close() {
	if s.conn != nil {
		_ = s.conn.Close() // there is nothing to be done about it
		s.conn = nil
	}
}

// Probe implements Session. A kept connection that the server has closed
// meanwhile says nothing about it: it is asked on a fresh one.
func (s *httpSession) Probe(ctx context.Context, fresh bool) error {
	if s.conn != nil && !fresh {
		err := s.ask(ctx)
		if _, answered := errors.AsType[*NotReady](err); err == nil || answered {
			return err
		}
		s.Close()
		if isTimeout(err) {
			return &silence{err}
		}
	}
	s.Close()
	return s.askAfresh(ctx)
}

func (s *httpSession) askAfresh(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	err := s.ask(ctx)
	if _, answered := errors.AsType[*NotReady](err); err == nil || answered {
		return err
	}
	s.Close()
	if s.TLS != nil && isTimeout(err) {
		return &NotReady{"slow: it made a TLS handshake, and gave no answer in time"}
	}
	return err
}

// connect makes a connection to be kept.
func (s *httpSession) connect(ctx context.Context) error {
	conn, err := dial(ctx, s.target, s.Preface)
	if err != nil {
		return err
	}
	if s.TLS != nil {
		stream := tls.Client(conn, s.TLS.config(s.target))
		if err := stream.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return err
		}
		conn = stream
	}
	s.conn, s.in = conn, bufio.NewReader(conn)
	return nil
}

func (o *TLSOptions) config(target netip.AddrPort) *tls.Config {
	c := &tls.Config{ServerName: o.ServerName, MinVersion: tls.VersionTLS12, GetClientCertificate: o.Certificate}
	if c.ServerName == "" {
		c.ServerName = target.Addr().WithZone("").String()
	}
	if o.Roots != nil {
		c.RootCAs = o.Roots()
	}
	c.InsecureSkipVerify = c.RootCAs == nil
	return c
}

// maxAnswer bounds the body of an answer, in bytes. After a longer one the
// connection is not kept.
const maxAnswer = 64 << 10

// ask asks on the connection that is kept. After an answer it is closed only when
// the server, or the length of the answer, wants it so.
func (s *httpSession) ask(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	if err := s.conn.SetDeadline(deadline); err != nil {
		return err
	}
	// A deadline in the past ends whatever is blocked on the connection.
	conn := s.conn
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	req, err := s.request(ctx)
	if err != nil {
		return err
	}
	if err := req.Write(s.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(s.in, req) //nolint:bodyclose // its end is what keeps the connection: it is read, or the connection is closed
	if err != nil {
		return err
	}
	body, rest := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if rest != nil || len(body) > maxAnswer || resp.Close {
		s.Close()
	}
	return s.judge(resp.StatusCode, body)
}

func (s *httpSession) request(ctx context.Context) (*http.Request, error) {
	host := netip.AddrPortFrom(s.target.Addr().WithZone(""), s.target.Port()) // RFC 6874, section 4
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host.String()+s.Path, nil)
	if err != nil {
		return nil, err
	}
	if s.Host != "" {
		req.Host = s.Host
	}
	req.Header.Set("User-Agent", "kshalb")
	return req, nil
}

// judge takes the status for the verdict; the body, of which a part is enough, only
// explains it.
func (p *httpProber) judge(status int, body []byte) error {
	if slices.Contains(p.Expect, status) {
		return nil
	}
	return notReadyBy(status, p.Path, body)
}
