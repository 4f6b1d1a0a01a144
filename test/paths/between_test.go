package paths

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/pkg/vip"
)

// side is what a network of the transparent test has in one family: a client's,
// or the backends'.
type side struct{ gateway, host netip.Prefix }

func prefixes(gateway, host string) side {
	return side{netip.MustParsePrefix(gateway), netip.MustParsePrefix(host)}
}

var (
	front4, back4 = prefixes("10.1.0.1/24", "10.1.0.2/24"), prefixes("10.2.0.1/24", "10.2.0.2/24")
	front6, back6 = prefixes("fd00:1::1/64", "fd00:1::2/64"), prefixes("fd00:2::1/64", "fd00:2::2/64")
)

const (
	frontPort = 443
	backPort  = 8443
)

// between is a balancer between the network of clients and that of backends,
// whose default route it is.
type between struct {
	*testing.T
	client, balancer, backend *lab.Host
	accepts                   map[netip.Addr]net.Listener // of the backend, by its address
}

func newBetween(t *testing.T) *between {
	l := labtest.New(t)
	b := &between{T: t, accepts: map[netip.Addr]net.Listener{}}
	var err error
	b.client, err = l.AddHost("client", front4.host, front6.host)
	must(t, err)
	b.balancer, err = l.AddHost("balancer", front4.gateway, front6.gateway)
	must(t, err)
	b.backend, err = l.AddHost("backend")
	must(t, err)
	b.cable()
	for _, s := range []side{front4, front6} {
		must(t, b.client.Do(func() error { return defaultRoute(s.gateway.Addr()) }))
	}
	for _, s := range []side{back4, back6} {
		must(t, b.backend.Do(func() error { return defaultRoute(s.gateway.Addr()) }))
		ln, err := b.backend.Listen("tcp", netip.AddrPortFrom(s.host.Addr(), backPort).String())
		must(t, err)
		t.Cleanup(func() { ln.Close() })
		b.accepts[s.host.Addr()] = ln
		b.carrier(s)
	}
	return b
}

// carrier waits until the cable of a family carries something: after a second at
// times, and a balancer does not wait so long.
func (b *between) carrier(s side) {
	b.Helper()
	ctx := labtest.Context(b.T, limit)
	for {
		soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		there, err := b.balancer.DialContext(soon, "tcp", at(s.host, backPort))
		if err == nil {
			cancel()
			defer there.Close()
			break
		}
		<-soon.Done()
		cancel()
		must(b.T, context.Cause(ctx))
	}
	here, err := b.accepts[s.host.Addr()].Accept()
	must(b.T, err)
	here.Close()
}

// cable is between the balancer and the backend.
func (b *between) cable() {
	b.Helper()
	var ns int
	must(b.T, b.backend.Do(func() (err error) {
		ns, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	}))
	defer unix.Close(ns)
	must(b.T, b.balancer.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "back0"
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "net0", PeerNamespace: netlink.NsFd(ns)}); err != nil {
			return err
		}
		return errors.Join(up("back0", back4.gateway), up("back0", back6.gateway))
	}))
	must(b.T, b.backend.Do(func() error { return errors.Join(up("net0", back4.host), up("net0", back6.host)) }))
}

// defaultRoute makes a host's route to everywhere anew.
func defaultRoute(through netip.Addr) error {
	all := "0.0.0.0/0"
	if through.Is6() {
		all = "::/0"
	}
	to, err := netlink.ParseIPNet(all)
	if err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{Dst: to, Gw: through.AsSlice()})
}

// start starts the balancer and waits until it is ready.
func (b *between) start(listen string, backends ...netip.Prefix) *lab.Process {
	b.Helper()
	role := []string{listen}
	for _, to := range backends {
		role = append(role, at(to, backPort))
	}
	self, err := os.Executable()
	must(b.T, err)
	begins := len(b.said())
	p, err := b.balancer.Start(lab.Spec{Name: "balancer", Path: self, Env: []string{balancerMark + "=" + strings.Join(role, " ")}})
	must(b.T, err)
	b.await(p, begins, "ready\n")
	return p
}

// said is all that balancers have said.
func (b *between) said() string {
	text, _ := os.ReadFile(b.balancer.Dir() + "/balancer.log") // none before the first one
	return string(text)
}

// await waits until a process has said something, behind what was there.
func (b *between) await(p *lab.Process, behind int, what string) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := labtest.Context(b.T, limit); !strings.Contains(b.said()[behind:], what); {
		select {
		case <-p.Done():
			b.Fatalf("the balancer has ended: %s", b.said()[behind:])
		case <-ctx.Done():
			b.Fatalf("the balancer does not say %q", what)
		case <-tick.C:
		}
	}
}

func at(a netip.Prefix, port uint16) string { return netip.AddrPortFrom(a.Addr(), port).String() }

// through connects from the client, and has bytes go both ways: the backend has to
// see who it is.
func (b *between) through(front, back side) {
	b.Helper()
	ctx := labtest.Context(b.T, limit)
	client, err := b.client.DialContext(ctx, "tcp", at(front.gateway, frontPort))
	must(b.T, err)
	defer client.Close()
	ln := b.accepts[back.host.Addr()].(*net.TCPListener)
	must(b.T, ln.SetDeadline(time.Now().Add(limit)))
	server, err := ln.Accept()
	if err != nil {
		b.Errorf("the client has not come to the backend: %v", err)
		return
	}
	defer server.Close()
	if from := server.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); from != front.host.Addr() {
		b.Errorf("the backend sees %s, the client is %s", from, front.host.Addr())
	}
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		carries(b.T, way[0], way[1])
	}
}

// carries sends a megabyte and the end, one way.
func carries(t *testing.T, from, to net.Conn) {
	t.Helper()
	const n = 1 << 20
	must(t, to.SetDeadline(time.Now().Add(limit)))
	must(t, from.SetDeadline(time.Now().Add(limit)))
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(make([]byte, n))
		sent <- errors.Join(err, from.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.Copy(io.Discard, to)
	if err = errors.Join(err, <-sent); err != nil || got != n {
		t.Errorf("%d of %d bytes came: %v", got, n, err)
	}
}

// left is what the balancer's host has for answers.
func (b *between) left() (all []string) {
	b.Helper()
	must(b.T, b.balancer.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			all = append(all, "table "+t.Name)
		}
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			rules, err := netlink.RuleList(family)
			if err != nil {
				return err
			}
			for _, r := range rules {
				if r.Table == vip.AnswersRoutes {
					all = append(all, r.String())
				}
			}
			routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: vip.AnswersRoutes}, netlink.RT_FILTER_TABLE)
			if err != nil {
				return err
			}
			for _, r := range routes {
				all = append(all, r.String())
			}
		}
		return nil
	}))
	return all
}

func (b *between) nothingLeft(after string) {
	b.Helper()
	if left := b.left(); len(left) > 0 {
		b.Errorf("left after %s: %v", after, left)
	}
}
