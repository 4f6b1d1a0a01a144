// Package proxy carries TCP connections from a listener to one of the ready
// backends of a pool.
//
// A connection's way: accept → limits → pick a backend (lock-free) → connect, and
// on failure another backend, as no client byte has been read yet → relay both
// ways → half-close → release and count. A TLS ClientHello is kept until the backend
// answers: when that goes without a word, or is found dead, another one is told the
// same. When no backend can be reached the client is refused with a RST at once; it
// never waits in vain.
//
// What ends on one side ends the same way on the other: a FIN is passed on as
// a FIN, for each direction by itself; a RST, or any other failure, as a RST.
//
// Config.ProxyProtocol has each connection to a backend begin by saying whose it
// is (identity.go, proxyproto.go).
//
// Bytes are moved by a few event loops, each with an epoll set, a
// listening socket (SO_REUSEPORT), connections and timers of its own; the
// kernel deals out the clients. Little is copied through one buffer of the
// loop, much is spliced through a pipe that is lent while bytes are on their
// way. An idle connection is its two sockets and some 200 bytes. mover (relay.go)
// and wheel know neither sockets nor a clock; the files named _linux do.
//
// While a loop waits it may keep one of the runtime's processors for some
// milliseconds. A process with other work that is in a hurry should have a few
// more of them than loops (runtime.GOMAXPROCS).
//
// conformance_test.go says what must hold, and speaks to a Listener only.
//
// The package looks into no bytes but those of a ClientHello's beginning, never
// decides which backend is up (somebody tells the Pool, and is told what connections
// find out), never logs a single connection, and never touches addresses
// or packet rules.
package proxy
