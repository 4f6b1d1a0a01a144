// Package admin is how people and programs ask a running kshalb: HTTP on a
// loopback address (read-only) and the same on a unix socket that only root
// can open, where changes are asked for as well.
//
// It never decides anything: what it tells and does comes from the functions
// that it is given, at the moment it is asked.
package admin
