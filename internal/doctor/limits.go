package doctor

import (
	"context"
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// Limits are what kshalb may have on a host, and what is left there. 0 is not
// known.
type Limits struct {
	Process   int    `json:"process,omitempty"` // of kshalb run; 0: none runs, and it is about the one that looks
	Loops     int    `json:"loops"`             // its event loops
	Files     uint64 `json:"files"`             // that it may open; the limit that counts
	HardFiles uint64 `json:"hardFiles"`         // that it could raise it to
	Memory    int64  `json:"memory"`            // bytes: of the host, or of its control group
	Available int64  `json:"available"`         // bytes of the host that are free, or can be made so
	Buffers   int64  `json:"buffers"`           // bytes that the kernel gives all TCP sockets (tcp_mem)
	InBuffers int64  `json:"inBuffers"`         // that they have now
	Tracked   int64  `json:"tracked"`           // connections that conntrack knows
	Trackable int64  `json:"trackable"`         // that it can
}

func lookLimits(_ context.Context, l *Looker, v *View) error {
	s := Limits{Loops: proxy.DefaultLoops()}
	folder := "/proc/self"
	running, err := l.nearProcesses("kshalb")
	if err != nil {
		return err
	}
	for _, p := range running {
		if slices.Contains(p.args, "run") {
			s.Process = p.pid
			folder = path.Join("/proc", strconv.Itoa(p.pid))
			loops, _ := flag(p.args, "loops")
			if n, err := strconv.Atoi(loops); err == nil {
				s.Loops = n
			}
		}
	}
	s.Files, s.HardFiles = l.fileLimits(folder)
	s.Memory = min(l.memory("MemTotal:"), l.groupMemory(folder))
	s.Available = l.memory("MemAvailable:")
	pages := int64(os.Getpagesize())
	s.Buffers = l.hostNumber("/proc/sys/net/ipv4/tcp_mem", 2) * pages
	s.InBuffers = l.usedBuffers() * pages
	s.Tracked = l.hostNumber("/proc/sys/net/netfilter/nf_conntrack_count", 0)
	s.Trackable = l.hostNumber("/proc/sys/net/netfilter/nf_conntrack_max", 0)
	v.Limits = &s
	return nil
}

// fileLimits are the soft and the hard one of a process (proc_pid_limits(5)).
func (l *Looker) fileLimits(folder string) (soft, hard uint64) {
	text, _ := l.hostHead(folder + "/limits")
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if f := strings.Fields(rest); ok && len(f) >= 2 {
			return fileLimit(f[0]), fileLimit(f[1])
		}
	}
	return 0, 0
}

func fileLimit(word string) uint64 {
	if word == "unlimited" {
		return math.MaxUint64
	}
	n, _ := strconv.ParseUint(word, 10, 64) // 0 is not known
	return n
}

// memory is a line of proc_meminfo(5) in bytes.
func (l *Looker) memory(key string) int64 {
	text, _ := l.hostHead("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == key {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// groupMemory is what the control group of a process may have, or one above it;
// math.MaxInt64 is as much as there is (cgroups(7)).
func (l *Looker) groupMemory(folder string) int64 {
	least := int64(math.MaxInt64)
	groups, _ := l.hostHead(folder + "/cgroup")
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		var at, file string
		switch {
		case len(f) == 3 && f[0] == "0" && f[1] == "":
			at, file = "/sys/fs/cgroup", "memory.max"
		case len(f) == 3 && f[1] == "memory":
			at, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			if n := l.hostNumber(path.Join(at, group, file), 0); n > 0 {
				least = min(least, n)
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// hostNumber is that in one column of a file of one line; 0 where there is none.
func (l *Looker) hostNumber(file string, column int) int64 {
	word, _ := l.hostWord(file)
	columns := strings.Fields(word)
	if len(columns) <= column {
		return 0
	}
	n, err := strconv.ParseInt(columns[column], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// usedBuffers are the pages in all TCP sockets of the host (/proc/net/sockstat:
// "TCP: inuse 5 ... mem 3").
func (l *Looker) usedBuffers() int64 {
	text, _ := l.hostHead("/proc/net/sockstat")
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "TCP:" || f[len(f)-2] != "mem" {
			continue
		}
		n, _ := strconv.ParseInt(f[len(f)-1], 10, 64)
		return n
	}
	return 0
}

// What a process has open besides its connections, amply; as in internal/app.
const (
	ownFiles        = 200
	filesPerBackend = 3
)

// demand is what the listeners may have to bear; without bound when one of them is.
func (c Case) demand(loops int) proxy.Demand {
	d := proxy.Demand{Loops: loops, Others: ownFiles}
	bounded := true
	for _, l := range c.Config.Listeners {
		d.Connections += l.Limits.Connections
		bounded = bounded && l.Limits.Connections > 0
		d.Sockets += 2 * loops // one more where a port is shared
		d.Others += (len(l.Backends) + len(l.Names)) * filesPerBackend
	}
	if !bounded {
		d.Connections = 0
	}
	return d
}

// judgeLimits holds what the listeners may need against what there is.
func judgeLimits(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		s := c.Views[node].Limits
		if s == nil {
			continue
		}
		if p, ok := c.peer(node); ok && p.Witness {
			all = append(all, Finding{Level: Fine, Node: node, Saw: "a witness carries no connections"})
			continue
		}
		all = append(all, orFine(c.judgeLimitsOf(*s), node, "")...)
	}
	return all
}

func (c Case) judgeLimitsOf(s Limits) []Finding {
	demand := c.demand(s.Loops)
	line, suffices := proxy.Compare(demand, proxy.Means{Files: s.Files, Memory: s.Memory, Buffers: s.Buffers})
	f := Finding{Level: Fine, Saw: line}
	if s.Process == 0 {
		f.Saw = "kshalb does not run here, so this is about the process that looked: " + line
	}
	if !suffices {
		f.Level = Warning
		f.Why = "clients are turned away, or kshalb is killed, long before the limit that limits.connections sets"
		f.Mend = "give kshalb what is missing (LimitNOFILE= of its unit, the memory limit of its pod), or lower limits.connections"
		if s.Process == 0 {
			f.Level = Unseen
		}
	}
	all := []Finding{f}
	if need := proxy.BudgetOf(demand); s.Available > 0 && demand.Connections > 0 && s.Process != 0 && s.Available < need.Idle {
		all = append(all, Finding{Level: Warning,
			Saw:  fmt.Sprintf("%d MiB of the host's memory are available", s.Available>>20),
			Why:  fmt.Sprintf("%d connections take %d MiB even when they are idle", demand.Connections, need.Idle>>20),
			Mend: "see what takes the memory (ps -eo rss,comm --sort=-rss | head), or lower limits.connections"})
	}
	if nearly(s.InBuffers, s.Buffers) {
		all = append(all, Finding{Level: Warning,
			Saw:  fmt.Sprintf("TCP sockets have %d of %d MiB of buffers", s.InBuffers>>20, s.Buffers>>20),
			Why:  "from there on the kernel refuses buffers, and connections stand still",
			Mend: "raise the last number of net.ipv4.tcp_mem (sysctl -w), if the host has the memory"})
	}
	if nearly(s.Tracked, s.Trackable) {
		all = append(all, Finding{Level: Warning,
			Saw:  fmt.Sprintf("conntrack has %d of %d connections", s.Tracked, s.Trackable),
			Why:  "when it is full the kernel drops new connections, those to VIPs among them",
			Mend: fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d, and write the same to a file in /etc/sysctl.d", 4*s.Trackable)})
	}
	return all
}

// nearly reports whether nine tenths of a limit that is known are reached.
func nearly(n, limit int64) bool { return limit > 0 && n >= limit/10*9 }
