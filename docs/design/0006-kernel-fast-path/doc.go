// Package sockmap lets the kernel move the bytes between two TCP sockets: both
// are in a BPF sockmap, and a program that the kernel runs for each piece of the
// stream that one of them receives sends it on through the other.
//
// It is an experiment, in a module of its own, and nothing of kshalb uses it:
// the document beside this folder says why, with the figures. Its tests show what
// the kernel does (cases_test.go), and that the careful program loses and
// reorders nothing (stress_test.go). They need root:
//
//	cd docs/design/0006-kernel-fast-path && go test ./...
//
// A socket never leaves the map but by being closed. User space takes part by
// two counts of each direction: the program counts what it gave to user space,
// and may redirect again only when user space says that it has handed on just as
// much. Both look at one count, so no message between the two can be missed.
package sockmap
