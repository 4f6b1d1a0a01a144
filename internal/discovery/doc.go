// Package discovery finds out who the backends of a listener are where the
// configuration does not list their addresses: [Resolver] keeps DNS names resolved,
// [Memory] has the last good lists outlive a restart.
//
// A list that was good once is only ever replaced by another good one: a nameserver
// that is gone, or that has lost a zone, takes no backend away. Whether those in a
// list can serve is for health checks to say.
//
// It does not follow referrals and does not validate: that is the nameserver's part.
// Of resolv.conf(5) it honours nameserver (the first three), search, domain, ndots,
// timeout (up to 5 s) and attempts (up to 5).
package discovery
