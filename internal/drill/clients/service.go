package clients

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Service is what is asked: a listener's address, in the way in which its backends
// are probed.
type Service struct {
	Address netip.AddrPort
	// Path is asked for by GET. "" only connects: then a connection counts as
	// answered when nobody ends it within 50 ms.
	Path string
	// TLS is nil for plain HTTP. Nothing secret goes to whoever answers.
	TLS *tls.Config
}

// timeouts of one attempt.
const (
	// connectTimeout is for the TCP connection alone: a first packet that is lost while
	// the address moves is said again by another attempt, not by the kernel a whole
	// second later (RFC 6298, section 2.1).
	connectTimeout   = 250 * time.Millisecond
	handshakeTimeout = time.Second
	freshTimeout     = 2 * time.Second       // for the answer on a new connection
	answerTimeout    = 10 * time.Second      // on a kept one
	quietTime        = 50 * time.Millisecond // on a connection on which nothing is asked
)

// conn is a connection to the service.
type conn struct {
	net.Conn
	in *bufio.Reader
}

// dial connects, and makes a TLS handshake, in the time that either may take.
func (s Service) dial(ctx context.Context) (*conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	c, err := d.DialContext(ctx, "tcp", s.Address.String())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", cause(err))
	}
	if s.TLS != nil {
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		secure := tls.Client(c, s.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("make a TLS handshake: %w", cause(err))
		}
		c = secure
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

// ask asks for a path, and reads the whole answer. Any answer counts but one of the
// server's own trouble: 401 and 403 come from an API server that is well.
func (s Service) ask(c *conn, limit time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if s.Path == "" {
		return quiet(c)
	}
	resp, err := request(c, s.Address.String(), s.Path, "")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("read the answer: %w", cause(err))
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// request sends one and reads the head of its answer.
func request(c *conn, host, path, token string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+host+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "kshalb-drill")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if err := req.Write(c); err != nil {
		return nil, fmt.Errorf("ask: %w", cause(err))
	}
	resp, err := http.ReadResponse(c.in, req)
	if err != nil {
		return nil, fmt.Errorf("wait for the answer: %w", cause(err))
	}
	return resp, nil
}

// quiet waits a moment for the end of a connection, which would be an error.
func quiet(c *conn) error {
	if err := c.SetDeadline(time.Now().Add(quietTime)); err != nil {
		return err
	}
	if _, err := c.in.Peek(1); err != nil && !isTimeout(err) {
		return fmt.Errorf("ended: %w", cause(err))
	}
	return nil
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// cause is an error without addresses and ports, so that equal ones are equal.
func cause(err error) error {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case isTimeout(err) || errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was ended")
	}
	return err
}
