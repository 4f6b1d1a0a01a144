// Package pki makes certificate authorities and certificates for labs. Nothing
// of it is fit for a real cluster: keys live as long as the lab's files.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"time"
)

// valid is how long certificates hold, from an hour ago.
const valid = 90 * 24 * time.Hour

// CA signs certificates. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
	PEM  []byte // the certificate
}

// Names are the names and addresses that a certificate is for, besides its
// subject.
type Names struct {
	CommonName    string
	Organizations []string // a Kubernetes user's groups
	DNS           []string
	IPs           []netip.Addr
}

// Pair is a certificate and its key, as in files.
type Pair struct{ Cert, Key []byte }

// NewCA makes an authority with an ECDSA key.
func NewCA(name string) (*CA, error) {
	template := newTemplate(Names{CommonName: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of CA %s: %w", name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read CA %s: %w", name, err)
	}
	return &CA{cert, key, encode("CERTIFICATE", der)}, nil
}

// Issue makes a certificate for servers and clients, with an ECDSA key.
func (ca *CA) Issue(n Names) (Pair, error) {
	template := newTemplate(n)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make a key for %s: %w", n.CommonName, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return Pair{}, fmt.Errorf("make a certificate for %s: %w", n.CommonName, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encode the key of %s: %w", n.CommonName, err)
	}
	return Pair{encode("CERTIFICATE", der), encode("PRIVATE KEY", private)}, nil
}

// Pool is what a client that believes this authority alone trusts.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// TLS is the pair as crypto/tls wants it.
func (p Pair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.Cert, p.Key) }

// Write writes the pair to PREFIX.crt and PREFIX.key.
func (p Pair) Write(prefix string) error {
	if err := os.WriteFile(prefix+".crt", p.Cert, 0o600); err != nil {
		return err
	}
	return os.WriteFile(prefix+".key", p.Key, 0o600)
}

func newTemplate(n Names) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:      pkix.Name{CommonName: n.CommonName, Organization: n.Organizations},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(valid),
		DNSNames:     n.DNS,
	}
	for _, ip := range n.IPs {
		c.IPAddresses = append(c.IPAddresses, net.IP(ip.AsSlice()))
	}
	return c
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
