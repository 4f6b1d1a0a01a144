package doctor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names are the names of the control plane, and what they mean on a host.
type Names struct {
	Names   []Name   `json:"names,omitempty"`   // sorted
	Servers []Server `json:"servers,omitempty"` // where this host's own clients go
}

// Name is a name that somebody uses for the control plane.
type Name struct {
	Name      string       `json:"name"`
	From      []string     `json:"from"`         // the files that have it, or asked
	By        string       `json:"by,omitempty"` // /etc/hosts or DNS
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Error     string       `json:"error,omitempty"` // why it has none
}

// Server is where a file of this host says that the control plane is.
type Server struct {
	File string `json:"file"`
	Host string `json:"host"` // a name or an address
	Port uint16 `json:"port"`
}

const (
	hostsFile = "/etc/hosts"
	byDNS     = "DNS"
	asked     = "asked"

	// lookupTimeout bounds how long the names of a host are looked up.
	lookupTimeout = 4 * time.Second
	maxNames      = 32
)

// serverFiles have a line that says where the control plane is: kubeadm's, and
// those of RKE2 and k3s. More than a host, a port and a name is not taken from
// them, for some hold keys.
var serverFiles = []string{
	"/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/kubeadm-config.yaml",
	"/etc/kubernetes/kubeadm-config.yml", "/etc/kubernetes/kubeadm.yaml",
	"/etc/rancher/rke2/config.yaml", "/etc/rancher/k3s/config.yaml",
}

func lookNames(ctx context.Context, l *Looker, v *View) error {
	hosts, err := l.hostFile(hostsFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	inHosts := parseHosts(hosts)
	n := Names{Servers: l.servers()}
	from := make(map[string][]string)
	add := func(name, file string) {
		if name = canonical(name); name != "" && !slices.Contains(from[name], file) {
			from[name] = append(from[name], file)
		}
	}
	for _, name := range l.Domains {
		add(name, asked)
	}
	for _, s := range n.Servers {
		if _, err := netip.ParseAddr(s.Host); err != nil {
			add(s.Host, s.File)
		}
	}
	for name, addrs := range inHosts {
		if slices.ContainsFunc(addrs, l.isVIP) {
			add(name, hostsFile)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names := slices.Sorted(maps.Keys(from))
	for _, name := range names[:min(len(names), maxNames)] {
		found := Name{Name: name, From: from[name]}
		l.resolve(ctx, &found, inHosts[name])
		n.Names = append(n.Names, found)
	}
	v.Names = &n
	return nil
}

func (l *Looker) isVIP(a netip.Addr) bool {
	for _, v := range l.Config.VIPs {
		if v.Address == a {
			return true
		}
	}
	return false
}

// resolve finds the addresses of a name: those of /etc/hosts before those of DNS.
func (l *Looker) resolve(ctx context.Context, n *Name, inHosts []netip.Addr) {
	if len(inHosts) > 0 {
		n.By, n.Addresses = hostsFile, inHosts
		return
	}
	lookup := l.Lookup
	if lookup == nil {
		lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	n.By = byDNS
	addrs, err := lookup(ctx, n.Name)
	if err != nil {
		n.Error = err.Error()
		return
	}
	for _, a := range addrs {
		n.Addresses = append(n.Addresses, a.Unmap())
	}
	slices.SortFunc(n.Addresses, netip.Addr.Compare)
	n.Addresses = slices.Compact(n.Addresses)
}

// canonical is a name as it is compared.
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// parseHosts reads what hosts(5) describes.
func parseHosts(text []byte) map[string][]netip.Addr {
	all := make(map[string][]netip.Addr)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, word := range words[1:] {
			name := canonical(word)
			if !slices.Contains(all[name], addr.Unmap()) {
				all[name] = append(all[name], addr.Unmap())
			}
		}
	}
	return all
}

// serverLine is where a kubeconfig and the configuration of RKE2 or k3s say it, with
// a scheme, and kubeadm's, without.
var serverLine = regexp.MustCompile(`(?m)^[ \t-]*"?(?:server"?:[ \t]*["']?(https?://[^\s"'#]+)|controlPlaneEndpoint"?:[ \t]*["']?([^\s"'#]+))`)

// servers are where the files of this host say that the control plane is.
func (l *Looker) servers() (all []Server) {
	for _, file := range serverFiles {
		text, err := l.hostFile(file)
		if err != nil {
			continue // most hosts have few of them; who may not read is told of by other topics
		}
		for _, m := range serverLine.FindAllSubmatch(text, -1) {
			if s, ok := parseServer(string(m[1]) + string(m[2])); ok {
				s.File = file
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// parseServer reads https://HOST:PORT or HOST:PORT; the port of both is 6443 if
// it is left out in the second, as kubeadm has it.
func parseServer(text string) (s Server, ok bool) {
	port := "443"
	if !strings.Contains(text, "://") {
		text, port = "https://"+text, "6443"
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return s, false
	}
	if u.Port() != "" {
		port = u.Port()
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return s, false
	}
	return Server{Host: canonical(u.Hostname()), Port: uint16(n)}, true
}
