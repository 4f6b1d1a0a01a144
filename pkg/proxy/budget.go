package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"unsafe"
)

// Demand is what the listeners of a process may have to bear.
type Demand struct {
	Connections int // at a time, of all listeners; 0 is no bound
	Sockets     int // that listen, one for each loop and address
	Loops       int
	Others      int // open files of the rest of the process
}

// Means are what a process has; 0 is not known.
type Means struct {
	Files   uint64 // that may be open (RLIMIT_NOFILE)
	Memory  int64  // bytes: of this host, or of the process's control group
	Buffers int64  // bytes that the kernel gives all TCP sockets (net.ipv4.tcp_mem; tcp(7))
}

// Budget is what a number of connections needs at most. Nothing that clients do makes
// it more.
type Budget struct {
	Files int   // that have to be open at once
	Idle  int64 // bytes of this process, when nothing moves
	Most  int64 // bytes when nobody reads what is sent to them, with those in pipes
}

const (
	perConnection = 2 // open files: a socket for each leg
	perFlow       = 2 // and for each direction that moves much, of two, a pipe
	perLoop       = 3 // an epoll set, an eventfd, and a client that is turned away

	// maxPipeFiles is for the smallest pipes: the kernel may refuse larger ones.
	maxPipeFiles = perFlow * (pipeBudget >> 16)

	// A source that is counted has an entry in a map, which is half empty at worst.
	idleBytes = int64(unsafe.Sizeof(conn{}) + unsafe.Sizeof(source{}) + 2*unsafe.Sizeof(netip.Addr{}) + 2*unsafe.Sizeof(&source{}))
	// Each direction may have a block.
	mostBytes = idleBytes + 2*int64(unsafe.Sizeof(block{}))
)

// BudgetOf returns what is needed for a bounded demand. The kernel's own buffers are
// not in it, nor memory that is free and waits to be collected (GOGC; runtime).
func BudgetOf(d Demand) Budget {
	n := d.Connections
	return Budget{
		Files: d.fixed() + perConnection*n + min(2*perFlow*n, maxPipeFiles),
		Idle:  int64(n) * idleBytes,
		Most:  int64(n)*mostBytes + d.fixedBytes(),
	}
}

// fixed is how many files are open without any connection.
func (d Demand) fixed() int { return d.Others + d.Sockets + perLoop*d.Loops }

// filesFor is for how many connections open files suffice, whatever these do.
func (d Demand) filesFor(files uint64) int {
	left := int(min(files, 1<<40)) - d.fixed()
	if few := left / (perConnection + 2*perFlow); 2*perFlow*few <= maxPipeFiles {
		return max(few, 0)
	}
	return (left - maxPipeFiles) / perConnection
}

// fixedBytes are for what is in pipes, and the blocks that loops keep for the next ones.
func (d Demand) fixedBytes() int64 {
	return pipeBudget + int64(d.Loops)*(maxBlocks+1)*int64(unsafe.Sizeof(block{}))
}

// memoryFor is for how many connections memory suffices when nobody reads.
func (d Demand) memoryFor(memory int64) int { return int(max(memory-d.fixedBytes(), 0) / mostBytes) }

// Compare says in one line what a demand needs and what there is for it, and reports
// whether it suffices. Where it does not, the line says for how many connections it
// does and what to set.
func Compare(d Demand, m Means) (line string, suffices bool) {
	if d.Connections <= 0 {
		return withoutBound(d, m), true
	}
	b := BudgetOf(d)
	var lacks []string
	if m.Files > 0 && uint64(b.Files) > m.Files {
		lacks = append(lacks, fmt.Sprintf("need %d open files, and this process may have %d, which suffice for %d connections:"+
			" set LimitNOFILE=%d (or ulimit -n), or lower limits.connections", b.Files, m.Files, d.filesFor(m.Files), b.Files))
	}
	if m.Memory > 0 && b.Most > m.Memory {
		lacks = append(lacks, fmt.Sprintf("take %s of memory when nobody reads, and there are %s, which suffice for %d connections:"+
			" give more, or lower limits.connections", mebibytes(b.Most), mebibytes(m.Memory), d.memoryFor(m.Memory)))
	}
	if len(lacks) > 0 {
		return fmt.Sprintf("%d connections %s", d.Connections, strings.Join(lacks, "; they ")), false
	}
	return fmt.Sprintf("%d connections at most need %d%s open files, and %s of memory when idle or %s when nobody reads%s, besides %s",
		d.Connections, b.Files, of(m.Files), mebibytes(b.Idle), mebibytes(b.Most), ofBytes(m.Memory), m.buffers()), true
}

// withoutBound is Compare for who has chosen that there is no limit.
func withoutBound(d Demand, m Means) string {
	line := "connections are not limited (limits.connections: 0)"
	if m.Files > 0 {
		line += fmt.Sprintf("; %d open files suffice for %d", m.Files, d.filesFor(m.Files))
	}
	if m.Memory > 0 {
		line += fmt.Sprintf("; %s of memory for %d when nobody reads, besides %s", mebibytes(m.Memory), d.memoryFor(m.Memory), m.buffers())
	}
	return line
}

func (m Means) buffers() string {
	const what = "the kernel's buffers for them (net.ipv4.tcp_mem"
	if m.Buffers == 0 {
		return what + ")"
	}
	return what + ": " + mebibytes(m.Buffers) + ")"
}

func of(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d", n)
}

func ofBytes(n int64) string {
	if n == 0 {
		return ""
	}
	return ", of " + mebibytes(n)
}

// mebibytes rounds up.
func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }
