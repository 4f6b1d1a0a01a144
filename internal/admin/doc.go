// Package admin is how people and programs ask a running kshalb: HTTP on a
// loopback address (read-only) and the same on a unix socket that only root
// can open, where later changes are asked for as well.
//
// It never decides anything: what it tells comes from the functions it is
// given, at the moment it is asked.
package admin
