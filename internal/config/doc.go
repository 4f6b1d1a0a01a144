// Package config turns /etc/kshalb/kshalb.yaml, as a person typed it, into
// values that the rest of kshalb can trust.
//
// There are two shapes. The raw one (raw.go) is the file's grammar: its keys,
// their defaults, ranges and words stand in struct tags. The typed one
// (typed.go) is what the other packages read: addresses are netip values,
// durations are time.Duration, references are resolved, and every rule of
// reference.yaml holds.
//
// Reading is strict and complete: an unknown key, a wrong type, an impossible
// value or a contradiction is refused with its place, and all of them are told
// at once.
//
// The package reads the two files that it is told to read and touches nothing
// else: it looks up no host, no interface and no CA.
package config
