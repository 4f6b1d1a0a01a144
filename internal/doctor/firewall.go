package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/config"
)

// Firewall is what the packet filter of a host would do with packets that kshalb
// needs.
type Firewall struct {
	Managers []string `json:"managers,omitempty"` // firewalld, ufw: who writes the rules
	Legacy   []string `json:"legacy,omitempty"`   // tables of iptables-legacy, which are not followed
	Chains   int      `json:"chains"`             // base chains that were followed
	Blocks   []Block  `json:"blocks,omitempty"`
}

// Block is a base chain that holds packets back.
type Block struct {
	Table string `json:"table"` // with its family, as in nft list chain
	Chain string `json:"chain"`
	What  string `json:"what"` // whose packets
	Port  uint32 `json:"port"`
	Proto string `json:"proto"` // tcp or udp
	// Invalid says that it drops packets that conntrack does not know, which kshalb's
	// are for a moment when the address moves; not new connections.
	Invalid bool `json:"invalid,omitempty"`
	// Sure says that all of its rules were understood, as far as they matter.
	Sure bool `json:"sure"`
}

// needed is what has to get in.
type needed struct {
	what  string
	proto string
	port  uint32
	six   bool
}

func lookFirewall(_ context.Context, l *Looker, v *View) error {
	tables, err := readTables()
	if err != nil {
		return err
	}
	f := Firewall{Managers: l.managers(tables), Legacy: l.legacyTables()}
	link := ""
	for _, vip := range l.Config.VIPs {
		if name, _, err := l.home(vip); err == nil {
			link = name
		}
	}
	for _, t := range tables {
		f.follow(t, neededOf(l.Config), link)
	}
	v.Firewall = &f
	return nil
}

// neededOf is what has to get in on each node.
func neededOf(cfg *config.Config) (all []needed) {
	for _, p := range cfg.Cluster.Peers {
		if len(cfg.VIPs) == 0 {
			break
		}
		six := p.Address.Is6()
		all = append(all, needed{"gossip", "tcp", uint32(cfg.Cluster.Gossip.Port), six}, needed{"gossip", "udp", uint32(cfg.Cluster.Gossip.Port), six})
	}
	for _, l := range cfg.Listeners {
		if l.VIP == "" {
			continue
		}
		six := l.Address.Addr().Is6()
		all = append(all, needed{"clients of listener " + l.Name, "tcp", uint32(l.Address.Port()), six})
		if l.Bind.Port() != l.Address.Port() {
			all = append(all, needed{"clients of listener " + l.Name + ", redirected to its private port", "tcp", uint32(l.Bind.Port()), six})
		}
	}
	slices.SortStableFunc(all, func(a, b needed) int { return strings.Compare(a.what, b.what) })
	return slices.Compact(all)
}

// follow sends what is needed through the base chains of a table.
func (f *Firewall) follow(t table, all []needed, link string) {
	for _, name := range sortedKeys(t.chains) {
		c := t.chains[name]
		if !c.base || c.hook == "" {
			continue
		}
		f.Chains++
		for _, n := range all {
			if n.six && !t.six || !n.six && !t.four {
				continue
			}
			w := walk{proto: unix.IPPROTO_TCP, port: n.port, state: ctNew, link: link, six: n.six}
			if n.proto == "udp" {
				w.proto = unix.IPPROTO_UDP
			}
			b := Block{Table: t.name, Chain: name, What: n.what, Port: n.port, Proto: n.proto}
			switch t.follow(c, w) {
			case dropped:
				b.Sure = true
			case mayDrop:
			default:
				w.state = ctInvalid
				if n.proto == "udp" || t.follow(c, w) != dropped {
					continue
				}
				b.Invalid, b.Sure = true, true
			}
			f.Blocks = append(f.Blocks, b)
		}
	}
}

// managers write the rules of a host, and would write them again.
func (l *Looker) managers(tables []table) (all []string) {
	if slices.ContainsFunc(tables, func(t table) bool { return strings.HasSuffix(t.name, " firewalld") }) {
		all = append(all, "firewalld")
	}
	if text, err := l.hostFile("/etc/ufw/ufw.conf"); err == nil && hasLine(string(text), "ENABLED=yes") {
		all = append(all, "ufw")
	}
	return all
}

func hasLine(text, line string) bool {
	for l := range strings.Lines(text) {
		if strings.TrimSpace(l) == line {
			return true
		}
	}
	return false
}

// legacyTables are those that iptables-legacy has loaded; a filter without rules is
// one, too.
func (l *Looker) legacyTables() (all []string) {
	for _, file := range []string{"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"} {
		text, err := l.hostHead(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		for name := range strings.FieldsSeq(string(text)) {
			if name == "filter" || name == "raw" || name == "mangle" {
				all = append(all, fmt.Sprintf("%s of %s", name, strings.TrimSuffix(file[len("/proc/net/"):], "_names")))
			}
		}
	}
	return all
}
