package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/config"
)

// Backend is one backend of a listener, as it is seen from a host.
type Backend struct {
	Listener    string         `json:"listener"`
	Address     netip.AddrPort `json:"address"`
	Way         string         `json:"way"`             // of a connect: Reached, Refused, Silent, Failed
	Error       string         `json:"error,omitempty"` // of the connect, or of the TLS handshake
	Certificate *Certificate   `json:"certificate,omitempty"`
}

// Certificate is what a server shows.
type Certificate struct {
	NotBefore time.Time    `json:"notBefore"`
	NotAfter  time.Time    `json:"notAfter"`
	Names     []string     `json:"names,omitempty"`     // SANs, with wildcards
	Addresses []netip.Addr `json:"addresses,omitempty"` // SANs
	// Foreign is why the listener's CA has not issued it; "" is that it has, or that
	// there is no CA to be asked.
	Foreign string `json:"foreign,omitempty"`
}

// handshakeWait bounds a TLS handshake.
const handshakeWait = 2 * time.Second

func lookBackends(ctx context.Context, l *Looker, v *View) error {
	var all []Backend
	var cas []*x509.CertPool
	var names []string
	for _, listener := range l.Config.Listeners {
		ca, err := l.ca(listener.Check)
		if err != nil {
			return err
		}
		for _, b := range listener.Backends {
			all = append(all, Backend{Listener: listener.Name, Address: b.Address})
			cas, names = append(cas, ca), append(names, serverName(listener.Check, b.Address))
		}
	}
	var looking sync.WaitGroup
	for i := range all {
		looking.Go(func() { all[i].look(ctx, names[i], cas[i]) })
	}
	looking.Wait()
	v.Backends = all
	return nil
}

// serverName is what a probe asks for; "" is that it makes no TLS handshake.
func serverName(c config.Check, at netip.AddrPort) string {
	switch {
	case c.Type != config.CheckHTTPS:
		return ""
	case c.ServerName != "":
		return c.ServerName
	}
	return at.Addr().WithZone("").String()
}

// ca is what a listener's probes believe; nil is nothing, as before a cluster exists.
func (l *Looker) ca(c config.Check) (*x509.CertPool, error) {
	file := c.CAFile
	if file == "" {
		file = config.ClusterCA
	}
	text, err := l.hostFile(file)
	pool := x509.NewCertPool()
	if errors.Is(err, fs.ErrNotExist) || err == nil && !pool.AppendCertsFromPEM(text) {
		return nil, nil
	}
	return pool, err
}

func (b *Backend) look(ctx context.Context, name string, ca *x509.CertPool) {
	conn, err := dial(ctx, "tcp", netip.Addr{}, b.Address)
	if b.Way = outcome(err); err != nil {
		b.Error = err.Error()
		return
	}
	defer conn.Close()
	if name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeWait)
	defer cancel()
	// It is looked at whatever it is; nothing is said to whoever shows it.
	secure := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		b.Error = "TLS handshake: " + err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			b.Error = "TLS handshake: no answer within " + handshakeWait.String()
		}
		return
	}
	b.Certificate = certificateOf(secure.ConnectionState().PeerCertificates, ca)
}

// certificateOf is the first of a chain, and whether ca has issued it. Its dates are
// judged apart.
func certificateOf(chain []*x509.Certificate, ca *x509.CertPool) *Certificate {
	leaf := chain[0]
	c := &Certificate{NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Names: leaf.DNSNames}
	for _, ip := range leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			c.Addresses = append(c.Addresses, a.Unmap())
		}
	}
	if ca == nil {
		return c
	}
	others := x509.NewCertPool()
	for _, more := range chain[1:] {
		others.AddCert(more)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: ca, Intermediates: others, CurrentTime: leaf.NotBefore.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		c.Foreign = err.Error()
	}
	return c
}

// names reports whether the certificate is for a name.
func (c *Certificate) names(name string) bool {
	return (&x509.Certificate{DNSNames: c.Names}).VerifyHostname(name) == nil
}

// lacks are the addresses and names that the certificate is not for.
func (c *Certificate) lacks(addresses []netip.Addr, names []string) (all []string) {
	for _, a := range addresses {
		if !slices.Contains(c.Addresses, a) {
			all = append(all, a.String())
		}
	}
	for _, n := range names {
		if !c.names(n) {
			all = append(all, n)
		}
	}
	return all
}

// known is what it is for, in words.
func (c *Certificate) known() string {
	all := slices.Clone(c.Names)
	for _, a := range c.Addresses {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}
