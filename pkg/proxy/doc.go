// Package proxy carries TCP connections from a listener to one of the ready
// backends of a pool.
//
// A connection's way: accept → pick a backend (round robin, lock-free) →
// connect, and on failure the next backend, as no client byte has been read
// yet → relay both ways → half-close → release and count. When no backend can
// be reached the client is refused with a RST at once; it never waits in vain.
//
// What ends on one side ends the same way on the other: a FIN is passed on as
// a FIN, for each direction by itself; a RST, or any other failure, as a RST.
//
// The relay of this package is a pair of goroutines behind the function relay;
// nothing outside relay.go knows how bytes move. conformance_test.go says what
// must hold for whatever takes its place, and speaks to a Listener only.
//
// The package never looks into the bytes, never decides what is ready (somebody
// tells the Pool), never logs a single connection, and never touches addresses
// or packet rules.
package proxy
