// Package lab makes a small network on this machine: hosts, each a network
// namespace with a cable to a switch, on which real programs run as processes.
// The tests use it, and so does `kshalb demo`.
//
//	l, err := lab.New()
//	defer l.Close()
//	a, err := l.AddHost("a", netip.MustParsePrefix("192.168.0.1/24"))
//	p, err := a.Start(lab.Spec{Name: "server", Path: "/usr/bin/server"})
//	w, err := l.Watch(netip.MustParseAddr("192.168.0.10"))
//	a.Cut(lab.Isolate)
//
// # Nothing is left behind
//
// Everything hangs on open descriptors and threads of the process that called
// [New]: the namespaces have no names, the files are in a tmpfs that is mounted
// nowhere, and the kernel kills the started processes with their parent
// (PR_SET_PDEATHSIG of prctl(2)). [Lab.Close] takes all of it away; when the
// process is killed before that, the kernel does.
//
// # What it never does
//
// It adds no address, link, route or rule to the namespace that it was called
// in: the switch is in a namespace too. It signals only processes that it
// started, through their pidfd. It needs no shell tools.
//
// # Without root
//
// [Enter] runs the program again in a user namespace of its own, where it may
// do all this. [Missing] tries for real what a lab needs and says how to get it.
package lab
