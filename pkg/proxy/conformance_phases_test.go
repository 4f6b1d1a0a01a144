package proxy_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// closesUnread: a close with unread bytes is a RST.
func closesUnread(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		say(t, from, "question")
		hear(t, to, "q")
		to.Close()
		hearReset(t, from)
		holds(t, f, 0)
	})
}

// resetBehindUnread: the reader has not read yet what came before the RST.
func resetBehindUnread(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		say(t, from, "never mind")
		abort(t, from)
		hearReset(t, to)
		holds(t, f, 0)
	})
}

// bytesBeforeClose: all that was said before the end of both directions arrives.
func bytesBeforeClose(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	sides(t, f, b, func(t *testing.T, from, to *net.TCPConn) {
		say(t, from, "that is all")
		from.Close()
		hear(t, to, "that is all")
		hearEOF(t, to)
		to.Close()
		holds(t, f, 0)
	})
}

// endsAfterAccept: the backend ends what it has just accepted.
func endsAfterAccept(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	for range rounds {
		client, server := f.connect(t, b)
		abort(t, server)
		hearReset(t, client)

		client, server = f.connect(t, b)
		server.Close()
		hearEOF(t, client)
		client.Close()

		client, server = f.connect(t, b)
		say(t, server, "busy")
		server.Close()
		hear(t, client, "busy")
		hearEOF(t, client)
		client.Close()
	}
	holds(t, f, 0)
}

// endsAfterConnect: the client ends what it has just begun.
func endsAfterConnect(t *testing.T, start starter) {
	f := start(t, proxy.Config{}, serving(t, echo))
	for range rounds {
		abort(t, f.dial(t))
		f.dial(t).Close()
		c := f.dial(t)
		say(t, c, "x")
		abort(t, c)
		c = f.dial(t)
		say(t, c, "x")
		c.Close()
	}
	c := f.dial(t)
	say(t, c, "still there?")
	finish(t, c)
	hear(t, c, "still there?")
	hearEOF(t, c)
	holds(t, f, 0)
}

var forever = proxy.Config{Timeouts: proxy.Timeouts{Connect: time.Hour}}

// resetWhileConnecting: a client that has gone is not waited for.
func resetWhileConnecting(t *testing.T, start starter) {
	f := start(t, forever, blackhole(t))
	client := f.dial(t)
	holds(t, f, 1)
	abort(t, client)
	holds(t, f, 0)
}

func resetOfQueryConnecting(t *testing.T, start starter) {
	f := start(t, forever, blackhole(t))
	client := f.dial(t)
	say(t, client, "question")
	holds(t, f, 1)
	abort(t, client)
	holds(t, f, 0)
}

// closeWhileConnecting: a FIN alone may be a half-close. The attempt goes on, as
// long as it may.
func closeWhileConnecting(t *testing.T, start starter) {
	f := start(t, proxy.Config{Timeouts: proxy.Timeouts{Connect: 300 * time.Millisecond}}, blackhole(t))
	client := f.dial(t)
	holds(t, f, 1)
	client.Close()
	holds(t, f, 0)
}

// finWhileConnecting: a question and its end wait for the backend.
func finWhileConnecting(t *testing.T, start starter) {
	b := newBlackhole(t)
	f := start(t, forever, b.addr)
	client := f.dial(t)
	say(t, client, "question")
	finish(t, client)
	holds(t, f, 1)
	b.accept(t) // and it is no blackhole any more
	server := b.accept(t)
	hear(t, server, "question")
	hearEOF(t, server)
	say(t, server, "answer")
	server.Close()
	hear(t, client, "answer")
	hearEOF(t, client)
	holds(t, f, 0)
}

// muchWhileConnecting: more than the buffers hold, and the end, is written while
// the backend is waited for; the answer is as large.
func muchWhileConnecting(t *testing.T, start starter) {
	const n = 16 << 20
	b := newBlackhole(t)
	f := start(t, forever, b.addr)
	client := f.dial(t)
	var g errgroup.Group
	g.Go(func() error { return send(client, 1, n) })
	holds(t, f, 1)
	b.accept(t)
	server := b.accept(t)
	g.Go(func() error { return send(server, 2, n) })
	g.Go(func() error { return receive(client, 2, n) })
	g.Go(func() error { return receive(server, 1, n) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	holds(t, f, 0)
}
