// Command failover measures how long an address is served by nobody, and by how
// many it is claimed, when the node that holds it fails: with kshalb, and with
// Debian's keepalived beside it. `make bench-failover` runs it; bench/README.md
// says how to read what it prints.
//
// # The stand
//
// Three masters and a client are hosts of internal/lab, all of one machine. On
// port 6443 of each master stands a plain server that says the master's name to
// whoever connects (server.go). With keepalived the address leads to it without
// a detour; with kshalb through its relay, whose one backend is the server of
// its own master, so that a reply names the holder. Every trial runs on masters
// that are all ready, with one owner; how that is found out is in stand.go.
//
// # What is measured
//
// The client begins a connection to the address every 5 ms, whatever became of
// those before (client_linux.go). An attempt works when the reply is there 300 ms
// later: before a lost SYN is sent again, so that none bridges a gap by waiting.
//
//   - A gap lasts from the beginning of an attempt that worked to the reply of
//     the next one that worked. The service gap of a trial is its longest. While
//     all is well it is 5 ms and the time of one connection.
//   - Served by another after: from the fault to the first reply of a master that
//     did not hold the address. It differs from the gap where a failed daemon
//     leaves the address behind.
//   - Two owners: the time through which two masters provably answered ARP
//     questions for the address. lab.Watch asks every master over its own cable
//     every 5 ms, also one that is cut off from all others. An address on an
//     interface that is fenced off, so that nobody hears of it, is not counted.
//   - Takeovers: how often the master that replies to the client changes.
//
// A trial has two windows, and so two rows: from the fault until another master
// has served the client without a gap for a while (-watch), and from its healing
// until all are ready again and one of them has served it as long.
//
// events.go and faults.go say what is done, bars.go what is asked of it, gap.go
// how figures come from attempts.
package main
