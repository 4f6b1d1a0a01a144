// Package drill has no code but tests: three masters with the real kshalb in
// network namespaces, of which one is asked, through the socket of another one or
// its own, to let a fault befall it.
package drill
