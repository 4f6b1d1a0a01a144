package proxy

import "unsafe"

// Budget is what a number of connections needs.
type Budget struct {
	Descriptors int   // files that have to be open at once
	Idle        int64 // bytes of this process, when nothing moves
	Most        int64 // and when nobody reads what is sent to them
}

// BudgetOf returns what so many connections need of a process with so many loops. The
// kernel's own buffers (net.ipv4.tcp_mem; tcp(7)) are not in it.
func BudgetOf(connections, loops int) Budget {
	const (
		perLoop  = 4 // an epoll set, an eventfd, and some listening sockets
		perPipe  = 2
		maxPipes = pipeBudget / (256 << 10)
	)
	idle := int64(connections) * int64(unsafe.Sizeof(conn{}))
	return Budget{
		Descriptors: 2*connections + perLoop*loops + perPipe*maxPipes,
		Idle:        idle,
		Most:        idle + int64(connections)*int64(unsafe.Sizeof(block{})) + pipeBudget,
	}
}
