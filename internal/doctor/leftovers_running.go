package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// running is what some processes of one program mean for the VIPs. Of what they
// were given only that leaves here: it may have passwords.
func (l *Looker) running(kind string, some []process) Rival {
	r := Rival{Kind: kind, Runs: true, Where: processList(some)}
	var text string
	switch p := some[0]; kind {
	case "keepalived":
		text = l.keepalivedFile(&p)
	case "kube-vip":
		environ, _ := l.hostHead(fmt.Sprintf("/proc/%d/environ", p.pid))
		text = strings.ReplaceAll(string(environ), "\x00", "\n") + strings.Join(p.args, "\n")
		r.Services = isForServices(text)
	case "ucarp":
		text = strings.Join(p.args, "\n")
	case "haproxy":
		r.Ports = l.portsOf(some)
	}
	r.VIPs = l.vipsIn(text)
	return r
}

func processList(some []process) string {
	var words []string
	for _, p := range some {
		words = append(words, strconv.Itoa(p.pid))
	}
	if len(words) == 1 {
		return "process " + words[0]
	}
	return "processes " + strings.Join(words, ", ")
}

// keepalivedFile is the text that a Keepalived goes by, as far as it is in one file,
// or, without a process, would. Comments are not in it.
func (l *Looker) keepalivedFile(p *process) string {
	files := []string{"/etc/keepalived/keepalived.conf", "/usr/local/etc/keepalived/keepalived.conf"}
	read := func(name string) ([]byte, error) { return l.hostFile(name) }
	if p != nil {
		for _, name := range []string{"use-file", "f"} {
			if file, ok := flag(p.args, name); ok && file != "" {
				files = []string{file}
			}
		}
		read = func(name string) ([]byte, error) { return l.processFile(*p, name) }
	}
	for _, file := range files {
		data, err := read(file)
		if err != nil {
			continue
		}
		var text strings.Builder
		for line := range strings.Lines(string(data)) {
			kept, _, _ := strings.Cut(line, "#")
			kept, _, _ = strings.Cut(kept, "!")
			text.WriteString(kept + "\n")
		}
		return text.String()
	}
	return ""
}

var (
	// controlPlane is where a kube-vip is told to float the control plane's address:
	// in its environment, its arguments, or its manifest.
	controlPlane = regexp.MustCompile(`(?m)(?:^|\s)(?:cp_enable=true|--controlplane(?:=true)?)\s*$`)
	// controlPlaneNamed is the same in a manifest's list of variables.
	controlPlaneNamed = regexp.MustCompile(`name:\s*["']?cp_enable["']?\s+value:\s*["']?true`)
	servicesOf        = regexp.MustCompile(`(?m)(?:^|\s)(?:svc_enable=true|--services(?:=true)?)\s*$`)
	servicesNamed     = regexp.MustCompile(`name:\s*["']?svc_enable["']?\s+value:\s*["']?true`)
)

func isForServices(text string) bool {
	return servicesOf.MatchString(text) && !controlPlane.MatchString(text)
}

func (m manifest) isForServices() bool {
	return (servicesNamed.MatchString(m.text) || servicesOf.MatchString(m.text)) &&
		!controlPlaneNamed.MatchString(m.text) && !controlPlane.MatchString(m.text)
}

// tcpListen is TCP_LISTEN of include/net/tcp_states.h.
const tcpListen = "0A"

// portsOf are the TCP ports on which processes listen for others than this host,
// ascending.
func (l *Looker) portsOf(some []process) (ports []uint16) {
	inodes := make(map[string]bool)
	for _, p := range some {
		fds := l.path(fmt.Sprintf("/proc/%d/fd", p.pid))
		entries, _ := os.ReadDir(fds)
		for _, e := range entries {
			to, _ := os.Readlink(filepath.Join(fds, e.Name()))
			if inode, ok := strings.CutPrefix(to, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := l.hostHead(file) // those that listen come first (net/ipv4/tcp_ipv4.c, tcp_seq_start)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != tcpListen || !inodes[f[9]] {
				continue
			}
			if port, outside := parseSocketAddress(f[1]); outside && !slices.Contains(ports, port) {
				ports = append(ports, port)
			}
		}
	}
	slices.Sort(ports)
	return ports
}

// parseSocketAddress reads ADDRESS:PORT of /proc/net/tcp; outside is whether
// others than this host reach it.
func parseSocketAddress(text string) (port uint16, outside bool) {
	host, hex, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return 0, false
	}
	if len(host) == 8 {
		a, err := address4(host)
		return uint16(n), err == nil && !a.IsLoopback()
	}
	const loopback6, loopback4 = "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"
	return uint16(n), len(host) == 32 && host != loopback6 && host != loopback4
}
