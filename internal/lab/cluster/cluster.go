// Package cluster is three masters with kshalb and a client host in a lab, as
// the tests and the demo use them:
//
//	master1  192.168.0.1   master2  192.168.0.2   master3  192.168.0.3
//	client   192.168.0.100 the VIP  192.168.0.10, port 6443
//
// and the same with fd00:6b:: before the last number, written in hexadecimal:
// all hosts have both, [Options] say which of them the cluster uses.
//
// What serves on port 6443 of the masters is the caller's business; kshalb
// probes it by HTTPS GET /readyz and believes the cluster's CA alone.
package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/lab/traffic"
)

// Port of the API servers and of the VIP.
const Port = 6443

// Name is what clients may call the VIP.
const Name = "lb.kubesphere.local"

// Cluster is the masters and what they share. Its methods are safe for
// concurrent use.
type Cluster struct {
	Lab     *lab.Lab
	VIP     netip.Addr
	CA      *pki.CA
	CAFile  string
	Masters []*Master
	Client  *lab.Host

	binary  string // kshalb
	keyFile string
	options Options
}

// Options are the parts of the masters' configuration that callers may choose.
// Each is what stands behind the key of that name in kshalb.yaml, on one line.
type Options struct {
	Election     string // default {}: kshalb's own timing
	Backends     string // default: the masters' port 6443
	Check        string // default: HTTPS GET /readyz, with the cluster's CA
	VIPs         string // default: the one
	IPv6         bool   // the masters know each other, and the VIP, by such addresses
	PortConflict string // default auto
	Rebalance    string // default {}: not at all
	Balance      string // default roundrobin
	Insecure     bool   // gossip has no key
	Supervised   bool   // the caller starts kshalb again when a drill has killed it
	Hooks        string // default []
	HTTP         string // default on loopback alone; port 9446 has to be there
}

// New adds the hosts to a lab and writes the configuration of each master. No
// process is started. binary is the path of kshalb.
func New(l *lab.Lab, binary string) (*Cluster, error) { return NewWith(l, binary, Options{}) }

// NewWith is New with options.
func NewWith(l *lab.Lab, binary string, o Options) (*Cluster, error) {
	ca, err := pki.NewCA("kubernetes")
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		Lab: l, VIP: Address(10, o.IPv6).Addr(), CA: ca, binary: binary, options: o,
		CAFile: filepath.Join(l.Dir(), "ca.crt"), keyFile: filepath.Join(l.Dir(), "gossip.key"),
	}
	if err := c.writeShared(); err != nil {
		return nil, fmt.Errorf("write the masters' shared files: %w", err)
	}
	for n := range 3 {
		host, err := o.addHost(l, fmt.Sprintf("master%d", n+1), byte(n+1))
		if err != nil {
			return nil, err
		}
		c.Masters = append(c.Masters, &Master{Host: host, cluster: c})
	}
	if c.Client, err = o.addHost(l, "client", 100); err != nil {
		return nil, err
	}
	for _, m := range c.Masters {
		if err := m.writeConfig(); err != nil {
			return nil, fmt.Errorf("write the configuration of %s: %w", m.Name(), err)
		}
	}
	return c, nil
}

// addHost adds a host with an address of each kind, that of the cluster first.
func (o Options) addHost(l *lab.Lab, name string, last byte) (*lab.Host, error) {
	return l.AddHost(name, Address(last, o.IPv6), Address(last, !o.IPv6))
}

// Address is the one that ends in last, with the subnet of all.
func Address(last byte, ipv6 bool) netip.Prefix {
	if ipv6 {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0, 0, 0x6b, 15: last}), 64)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 0, last}), 24)
}

func (c *Cluster) writeShared() error {
	if err := os.WriteFile(c.CAFile, c.CA.PEM, 0o600); err != nil {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	return os.WriteFile(c.keyFile, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
}

// Master returns the one of that name, or nil.
func (c *Cluster) Master(name string) *Master {
	for _, m := range c.Masters {
		if m.Name() == name {
			return m
		}
	}
	return nil
}

// Traffic asks for a path through the VIP from the client, on a new TLS
// connection each 20 ms, and gives a request a second.
func (c *Cluster) Traffic(path string) *traffic.Traffic {
	return traffic.New(traffic.Config{
		URL:     fmt.Sprintf("https://%s%s", netip.AddrPortFrom(c.VIP, Port), path),
		TLS:     &tls.Config{RootCAs: c.CA.Pool(), ServerName: Name, MinVersion: tls.VersionTLS12},
		Dial:    c.Client.DialContext,
		Every:   20 * time.Millisecond,
		Timeout: time.Second,
	})
}

// WaitReady waits until kshalb of each master says that it can serve.
func (c *Cluster) WaitReady(ctx context.Context) error {
	for _, m := range c.Masters {
		if err := m.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}
