// Command relay measures kshalb's relay beside what people would use instead:
// HAProxy as the kubeadm guide sets it up and tuned, nginx, a DNAT rule, and no
// balancer at all. `make bench` runs it; bench/README.md says how to read what
// it prints.
//
// A measurement is three hosts of internal/lab: a client, a balancer and a
// server, each with processes of its own. The client (client_linux.go and the
// files beside it) and the server are this program, run again with a role; the
// balancer is the real program with a file from configs/. All are started for
// one measurement and killed after it, so that none inherits buffers, pipes or
// connections from another.
//
// rounds.go says in which order what is measured, workload.go what, report.go
// and bars.go what is printed. What needs no kernel (histogram.go, stats.go,
// the parsing in proc.go) is tested by itself.
package main
