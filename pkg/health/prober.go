package health

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// Prober asks a target once. Nil means that it is ready. It returns soon after
// ctx ends, and is safe for concurrent use on different targets.
type Prober interface {
	Probe(ctx context.Context, target netip.AddrPort) error
}

// TCP is a Prober that connects and closes again, with a FIN.
func TCP() Prober { return tcpProber{} }

// HTTP is a Prober that expects status 200 of GET path over plain HTTP/1.1.
// path begins with "/" and may have a query.
func HTTP(path string) Prober { return &httpProber{path: path} }

// HTTPS is as HTTP, over TLS 1.2 or later. The certificate must be signed by
// one of cas and name serverName; "" is the target's IP address, which
// kube-apiserver certificates have as a SAN, and which is not sent as SNI
// (RFC 6066, section 3). Without cas nothing is verified.
func HTTPS(path string, cas *x509.CertPool, serverName string) Prober {
	return &httpProber{path: path, tls: &tls.Config{
		RootCAs:    cas,
		ServerName: serverName,
		// Without a CA a probe still tells a living server from a dead one;
		// nothing secret is sent.
		InsecureSkipVerify: cas == nil,
	}}
}

type tcpProber struct{}

func (tcpProber) Probe(ctx context.Context, target netip.AddrPort) error {
	conn, err := dial(ctx, target)
	if err != nil {
		return err
	}
	return conn.Close()
}

type httpProber struct {
	path string
	tls  *tls.Config // nil is plain HTTP
}

// maxAnswer bounds what is read of an answer, header and body, in bytes.
const maxAnswer = 64 << 10

func (p *httpProber) Probe(ctx context.Context, target netip.AddrPort) error {
	host := netip.AddrPortFrom(target.Addr().WithZone(""), target.Port()) // RFC 6874, section 4
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host.String()+p.path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	req.Header.Set("User-Agent", "kshalb")

	conn, err := dial(ctx, target)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A deadline in the past ends whatever is blocked on the connection.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	stream := conn
	if p.tls != nil {
		if stream, err = p.handshake(ctx, conn, target); err != nil {
			return err
		}
	}
	if err := req.Write(stream); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(stream, maxAnswer)), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return p.judge(resp)
}

func (p *httpProber) handshake(ctx context.Context, conn net.Conn, target netip.AddrPort) (net.Conn, error) {
	config := p.tls.Clone()
	if config.ServerName == "" {
		config.ServerName = target.Addr().WithZone("").String()
	}
	stream := tls.Client(conn, config)
	return stream, stream.HandshakeContext(ctx)
}

// judge takes the status for the verdict; the body only explains it.
func (p *httpProber) judge(resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // as much as has come
	if line := telling(body); line != "" {
		return fmt.Errorf("status %d from %s: %s", resp.StatusCode, p.path, line)
	}
	return fmt.Errorf("status %d from %s", resp.StatusCode, p.path)
}

// telling is the line of a body that says most: the first that names a failed
// check the way of k8s.io/apiserver's healthz ("[-]etcd failed: ..."), or else
// the first one. It has at most 80 printable characters.
func telling(body []byte) string {
	var first string
	for line := range bytes.Lines(body) {
		text := printable(string(line), 80)
		if strings.HasPrefix(text, "[-]") {
			return text
		}
		if first == "" {
			first = text
		}
	}
	return first
}

// printable is a text from outside that logs can bear: at most so many
// characters, none of which moves a terminal.
func printable(text string, most int) string {
	runes := []rune(strings.TrimSpace(text))
	runes = runes[:min(len(runes), most)]
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '?'
		}
	}
	return strings.TrimSpace(string(runes))
}

func dial(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", target.String())
}
