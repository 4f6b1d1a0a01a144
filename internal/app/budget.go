package app

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// tellBudget says what the configured connections need. Where that is more than this
// process may have it warns: clients would have to wait long before the limit that
// somebody has chosen.
func (a *App) tellBudget() {
	if len(a.front.list()) == 0 {
		return // a witness
	}
	line, suffices := proxy.Compare(a.demand(), means(os.DirFS("/")))
	if !suffices {
		a.log.Warn(line)
		return
	}
	a.log.Info(line)
}

// What a process has open besides its connections, amply.
const (
	ownFiles        = 200
	filesPerBackend = 3 // its kept probe and two fresh ones
)

// demand is without bound when one of the listeners is.
func (a *App) demand() proxy.Demand {
	d := proxy.Demand{Loops: a.opts.Loops, Others: ownFiles}
	bounded := true
	for _, s := range a.front.list() {
		most := s.cfg().Limits.Connections
		d.Connections += most
		bounded = bounded && most > 0
		d.Sockets += len(s.door().listeners()) * a.opts.Loops
		d.Others += len(s.targets.list()) * filesPerBackend
	}
	if !bounded {
		d.Connections = 0
	}
	return d
}

// means asks what this process has. What can't be told is 0: all of it is for a line
// in the log.
func means(root fs.FS) (m proxy.Means) {
	var may unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &may) == nil {
		m.Files = may.Cur
	}
	var host unix.Sysinfo_t
	if unix.Sysinfo(&host) == nil {
		m.Memory = int64(host.Totalram) * int64(host.Unit)
	}
	if most := groupMemory(root); m.Memory == 0 || most < m.Memory {
		m.Memory = most
	}
	if m.Memory == math.MaxInt64 {
		m.Memory = 0
	}
	m.Buffers = tcpMemory(root)
	return m
}

// groupMemory is what the control group of this process may have, or one above it;
// math.MaxInt64: as much as there is (cgroups(7); Documentation/admin-guide/cgroup-v1
// and cgroup-v2 of Linux).
func groupMemory(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		var at, file string
		switch {
		case len(f) != 3:
			continue
		case f[0] == "0" && f[1] == "":
			at, file = "sys/fs/cgroup", "memory.max"
		case f[1] == "memory":
			at, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			if n, ok := number(root, path.Join(at, group, file), 0); ok {
				least = min(least, n)
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// tcpMemory is the last of three numbers of pages: from there on the kernel refuses
// buffers.
func tcpMemory(root fs.FS) int64 {
	pages, ok := number(root, "proc/sys/net/ipv4/tcp_mem", 2)
	if !ok || pages > math.MaxInt64/int64(os.Getpagesize()) {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// number is that in one column of a file. There is none where it says "max".
func number(root fs.FS, file string, column int) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	columns := bytes.Fields(text)
	if len(columns) <= column {
		return 0, false
	}
	n, err := strconv.ParseInt(string(columns[column]), 10, 64)
	return n, err == nil && n > 0
}
