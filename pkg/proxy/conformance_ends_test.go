package proxy_test

import (
	"testing"

	"github.com/kshalb/kshalb/pkg/proxy"
)

func clientHalfCloses(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, client, "question")
	finish(t, client)
	hear(t, server, "question")
	hearEOF(t, server)
	say(t, server, "answer")
	hear(t, client, "answer")
	server.Close()
	hearEOF(t, client)
}

func serverHalfCloses(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	say(t, server, "that was all")
	finish(t, server)
	hear(t, client, "that was all")
	hearEOF(t, client)
	say(t, client, "not for me")
	hear(t, server, "not for me")
	client.Close()
	hearEOF(t, server)
}

func clientResets(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	abort(t, client)
	hearReset(t, server)
}

func serverResets(t *testing.T, start starter) {
	b := newBackend(t)
	client, server := start(t, proxy.Config{}, b.addr).connect(t, b)
	abort(t, server)
	hearReset(t, client)
}

// resetAfterHalfClose: who has sent its FIN and then dies is noticed although
// nobody reads from or writes to it.
func resetAfterHalfClose(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	client, server := f.connect(t, b)
	finish(t, server)
	hearEOF(t, client)
	abort(t, server)
	resetSilently(t, client)

	client, server = f.connect(t, b)
	finish(t, client)
	hearEOF(t, server)
	abort(t, client)
	resetSilently(t, server)
}

// rounds is how often what depends on who comes first is tried.
const rounds = 50

func bothHalfClose(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	for range rounds {
		client, server := f.connect(t, b)
		atOnce(
			func() { say(t, client, "bye"); finish(t, client) },
			func() { say(t, server, "bye"); finish(t, server) })
		hear(t, client, "bye")
		hear(t, server, "bye")
		hearEOF(t, client)
		hearEOF(t, server)
	}
	holds(t, f, 0)
}

func bothClose(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	for range rounds {
		client, server := f.connect(t, b)
		talk(t, client, server)
		atOnce(func() { client.Close() }, func() { server.Close() })
	}
	holds(t, f, 0)
}

func bothReset(t *testing.T, start starter) {
	b := newBackend(t)
	f := start(t, proxy.Config{}, b.addr)
	for range rounds {
		client, server := f.connect(t, b)
		talk(t, client, server)
		atOnce(func() { abort(t, client) }, func() { abort(t, server) })
	}
	holds(t, f, 0)
	client, server := f.connect(t, b)
	exchange(t, client, server, 1)
}
