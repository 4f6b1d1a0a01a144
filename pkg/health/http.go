package health

import (
	"bufio"
	"context"
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
	p := &httpProber{HTTPOptions: o}
	if o.TLS != nil {
		p.client = &client{TLSOptions: *o.TLS}
	}
	return p
}

type httpProber struct {
	HTTPOptions
	client *client // nil is plain HTTP
}

// Open implements Prober.
func (p *httpProber) Open(target netip.AddrPort) Session {
	return &httpSession{httpProber: p, target: target}
}

type httpSession struct {
	*httpProber
	target netip.AddrPort
	conn   net.Conn // nil: none is kept
	in     *bufio.Reader
	limit  *io.LimitedReader // of in
	expiry time.Time         // of the certificate that was shown last
}

// Expiry implements Session.
func (s *httpSession) Expiry() time.Time { return s.expiry }

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
		err := s.ask(ctx, true)
		if err == nil || isNotReady(err) {
			return err
		}
		if isTimeout(err) {
			s.Close()
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
	err := s.ask(ctx, false)
	if err == nil || isNotReady(err) {
		return err
	}
	s.Close()
	if s.client != nil && isTimeout(err) {
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
	if s.client != nil {
		stream, err := s.client.handshake(ctx, conn, s.target)
		if err != nil {
			return err
		}
		s.expiry = stream.ConnectionState().PeerCertificates[0].NotAfter // a TLS server always shows one
		conn = stream
	}
	s.conn, s.limit = conn, &io.LimitedReader{R: conn}
	s.in = bufio.NewReader(s.limit)
	return nil
}

// maxAnswer bounds the body of an answer, in bytes, and its header about so. After a
// longer one the connection is not kept.
const maxAnswer = 64 << 10

// errStale is a server that has given up a kept connection, in words.
var errStale = errors.New("the server has given up the kept connection")

// ask asks on the connection that is kept, and was before (old) or not. After an
// answer it is closed only when the server, or the length of the answer, wants it so.
func (s *httpSession) ask(ctx context.Context, old bool) error {
	deadline, _ := ctx.Deadline()
	if err := s.conn.SetDeadline(deadline); err != nil {
		return err
	}
	// A deadline in the past ends whatever is blocked on the connection.
	conn := s.conn
	inTime := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !inTime() { // it may set that deadline later, into the next probe
			s.Close()
		}
	}()
	req, err := s.request(ctx)
	if err != nil {
		return err
	}
	if err := req.Write(s.conn); err != nil {
		return err
	}
	s.limit.N = 2 * maxAnswer
	resp, err := http.ReadResponse(s.in, req) //nolint:bodyclose // its end is what keeps the connection: it is read, or the connection is closed
	if err != nil {
		return err
	}
	body, rest := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if rest != nil || len(body) > maxAnswer || resp.Close || resp.StatusCode < http.StatusOK || s.in.Buffered() > 0 {
		s.Close() // or the next answer would be what is left of this one
	}
	if old && resp.StatusCode == http.StatusRequestTimeout { // RFC 9110, section 15.5.9
		return errStale
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
