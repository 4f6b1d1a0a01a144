package proxy

import (
	"math"
	"strconv"
	"testing"
	"unsafe"
)

// TestCompare holds the lines that an operator reads. What depends on the size of a
// connection is asked for.
func TestCompare(t *testing.T) {
	demand := func(connections int) Demand {
		return Demand{Connections: connections, Sockets: 8, Loops: 4, Others: 200}
	}
	large := Means{Files: 1 << 20, Memory: 4 << 30, Buffers: 2 << 30}
	idle := mebibytes(BudgetOf(demand(20000)).Idle)
	const set = ": set LimitNOFILE=42268 (or ulimit -n), or lower limits.connections"
	const give = ": give more, or lower limits.connections"
	for _, tc := range []struct {
		connections int
		means       Means
		want        string
	}{
		{20000, large, "20000 connections at most need 42268 of 1048576 open files, and " + idle + " of memory when idle or 700 MiB when nobody reads," +
			" of 4096 MiB, besides the kernel's buffers for them (net.ipv4.tcp_mem: 2048 MiB)"},
		{20000, Means{}, "20000 connections at most need 42268 open files, and " + idle + " of memory when idle or 700 MiB when nobody reads," +
			" besides the kernel's buffers for them (net.ipv4.tcp_mem)"},
		{100, large, "100 connections at most need 820 of 1048576 open files, and 1 MiB of memory when idle or 72 MiB when nobody reads," +
			" of 4096 MiB, besides the kernel's buffers for them (net.ipv4.tcp_mem: 2048 MiB)"},
		{20000, Means{Files: 20000, Memory: 4 << 30}, "! 20000 connections need 42268 open files, and this process may have 20000," +
			" which suffice for 8866 connections" + set},
		{20000, Means{Files: 1024}, "! 20000 connections need 42268 open files, and this process may have 1024," +
			" which suffice for 134 connections" + set},
		{20000, Means{Files: 1 << 20, Memory: 256 << 20}, "! 20000 connections take 700 MiB of memory when nobody reads, and there are 256 MiB," +
			" which suffice for " + strconv.Itoa(demand(0).memoryFor(256<<20)) + " connections" + give},
		{20000, Means{Files: 100, Memory: 32 << 20}, "! 20000 connections need 42268 open files, and this process may have 100," +
			" which suffice for 0 connections" + set + "; they take 700 MiB of memory when nobody reads, and there are 32 MiB," +
			" which suffice for 0 connections" + give},
		{0, large, "connections are not limited (limits.connections: 0); 1048576 open files suffice for 523154; 4096 MiB of memory for " +
			strconv.Itoa(demand(0).memoryFor(4<<30)) + " when nobody reads, besides the kernel's buffers for them (net.ipv4.tcp_mem: 2048 MiB)"},
		{0, Means{}, "connections are not limited (limits.connections: 0)"},
	} {
		line, suffices := Compare(demand(tc.connections), tc.means)
		if !suffices {
			line = "! " + line
		}
		if line != tc.want {
			t.Errorf("got  %s\nwant %s", line, tc.want)
		}
	}
}

// TestSuffice: so many connections as files and memory are said to suffice for need
// no more than there is, and one more does.
func TestSuffice(t *testing.T) {
	d := Demand{Sockets: 2, Loops: 2, Others: 200}
	for files := uint64(200); files < 1<<21; files = files*9/8 + 1 {
		d.Connections = d.filesFor(files)
		if n := BudgetOf(d).Files; d.Connections > 0 && n > int(files) {
			t.Errorf("%d connections need %d files of %d", d.Connections, n, files)
		}
		if d.Connections++; BudgetOf(d).Files <= int(files) {
			t.Errorf("%d files suffice for %d connections, too", files, d.Connections)
		}
	}
	if n := d.filesFor(math.MaxUint64); n < 1<<30 {
		t.Errorf("files without end suffice for %d connections", n)
	}
	for memory := int64(1); memory < 1<<40; memory *= 3 {
		d.Connections = d.memoryFor(memory)
		if n := BudgetOf(d).Most; d.Connections > 0 && n > memory {
			t.Errorf("%d connections need %d bytes of %d", d.Connections, n, memory)
		}
		if d.Connections++; BudgetOf(d).Most <= memory {
			t.Errorf("%d bytes suffice for %d connections, too", memory, d.Connections)
		}
	}
}

// TestSizeOfConnection: what an idle connection costs is known. Who adds to it says
// so here.
func TestSizeOfConnection(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 256 {
		t.Errorf("a connection is %d bytes, want 256 at most", n)
	}
}
