// Package paths holds the tests of the ways that packets take to a VIP: from
// where, on what kind of host, and beside which rules of others.
package paths
