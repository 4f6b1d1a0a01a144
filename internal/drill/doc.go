// Package drill proves a failover on a cluster that runs: it has the holder of an
// address hand it over, or fail in some way, while clients ask through the address
// from this host and eyes on the wire see who answers for it. Whatever befalls a
// node undoes itself (package fault); here is the order of things, what was seen,
// and how that compares with what the configuration promises.
package drill
