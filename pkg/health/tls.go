package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"sync/atomic"
)

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
	// Certificate returns this client's, and is asked on each connection whose server
	// wants one, by several goroutines. While it fails, the last one is used that it
	// returned: files are renewed one after the other. nil: there is none.
	Certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)
}

// client makes TLS connections.
type client struct {
	TLSOptions
	last atomic.Pointer[tls.Certificate] // that was got; nil is none yet
}

// handshake makes conn a TLS connection to target, or closes it.
func (c *client) handshake(ctx context.Context, conn net.Conn, target netip.AddrPort) (*tls.Conn, error) {
	stream := tls.Client(conn, c.config(target))
	if err := stream.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return stream, nil
}

func (c *client) config(target netip.AddrPort) *tls.Config {
	config := &tls.Config{ServerName: c.ServerName, MinVersion: tls.VersionTLS12}
	if config.ServerName == "" {
		config.ServerName = target.Addr().WithZone("").String()
	}
	if c.Roots != nil {
		config.RootCAs = c.Roots()
	}
	config.InsecureSkipVerify = config.RootCAs == nil
	if c.Certificate != nil {
		config.GetClientCertificate = c.certificate
	}
	return config
}

func (c *client) certificate(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	now, err := c.Certificate(info)
	if err == nil {
		c.last.Store(now)
		return now, nil
	}
	if last := c.last.Load(); last != nil {
		return last, nil
	}
	return nil, &noCertificate{err}
}

// noCertificate is a client certificate that this side could not get.
type noCertificate struct{ err error }

func (n *noCertificate) Error() string { return n.err.Error() }
func (n *noCertificate) Unwrap() error { return n.err }
