// Package demo is `kshalb demo`: three masters with a TLS API server and kshalb
// each, in a lab on this machine, and a client that sends requests through the
// VIP while its holder is killed and stopped. What it prints is measured.
//
// It never touches the machine's own network and leaves nothing behind.
package demo
