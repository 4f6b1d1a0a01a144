package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

// clients are three on the client host, and one that makes what the last of them
// sees:
//
//   - one makes a connection each 20 ms, and asks once;
//   - one asks each 100 ms on a connection to the victim's API server, and on a new
//     one when it is told that this is over;
//   - one is an informer of client-go on a connection of its own to the victim's.
type clients struct {
	road
	victim *cluster.Master

	mu       sync.Mutex
	begun    int // requests on new connections
	requests []request
	kept     []time.Time // an answer, or the news that the connection is over
	events   []time.Time // that the informer told
	failure  error       // why the clients can't go on
}

// request is one on a connection of its own, which is over.
type request struct {
	began, ended time.Time
	connected    bool // an API server has greeted, in TLS; what follows is between it and the client
	err          error
}

func (p *controlPlane) newClients(b balancer, victim *cluster.Master) (*clients, error) {
	pair, err := p.CA.Issue(pki.Names{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}})
	if err != nil {
		return nil, err
	}
	cert, err := pair.TLS()
	return &clients{victim: victim, road: road{
		p: p, to: netip.AddrPortFrom(p.VIP, b.port()),
		tls: &tls.Config{RootCAs: p.CA.Pool(), ServerName: cluster.Name, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}}, err
}

// start begins all of them; stop ends and awaits them.
func (c *clients) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	for _, task := range []func(context.Context) error{c.ask, c.keepAsking, c.watch, c.write} {
		tasks.Go(func() {
			if err := task(ctx); err != nil && ctx.Err() == nil {
				c.note(func() { c.failure = errors.Join(c.failure, err) })
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		tasks.Wait()
	})
}

func (c *clients) note(what func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what()
}

// ask waits at the end for requests under way, which ctx ends: these fail.
func (c *clients) ask(ctx context.Context) error {
	var requests sync.WaitGroup
	defer requests.Wait()
	for range ticks(ctx, 20*time.Millisecond) {
		c.note(func() { c.begun++ })
		requests.Go(func() {
			r := c.once(ctx)
			c.note(func() { c.requests = append(c.requests, r) })
		})
	}
	return nil
}

func (c *clients) once(ctx context.Context) (r request) {
	r.began = time.Now()
	defer func() { r.ended = time.Now() }()
	ctx, cancel := context.WithTimeoutCause(ctx, giveUp, fmt.Errorf("no answer within %v", giveUp))
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		r.err = err
		return r
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r.connected = true
	r.err = version(conn, bufio.NewReader(conn))
	return r
}

func (c *clients) keepAsking(ctx context.Context) error {
	conn, err := c.dialTo(ctx, c.victim.Name())
	if err != nil {
		return err
	}
	for range ticks(ctx, 20*time.Millisecond) {
		if conn != nil {
			c.keep(ctx, conn)
		}
		limited, cancel := context.WithTimeout(ctx, giveUp)
		conn, err = c.dial(limited)
		cancel()
	}
	return err
}

// keep asks on one connection for as long as it is not told that it is over.
func (c *clients) keep(ctx context.Context, conn *tls.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	answers := bufio.NewReader(conn)
	for range ticks(ctx, 100*time.Millisecond) {
		err := version(conn, answers)
		if ctx.Err() == nil {
			c.note(func() { c.kept = append(c.kept, time.Now()) })
		}
		if err != nil {
			return
		}
	}
}
