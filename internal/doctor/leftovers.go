package doctor

import (
	"context"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Leftovers are what others than kshalb do with addresses, or with its ports, on a
// host and on its networks.
type Leftovers struct {
	Hidden  string           `json:"hidden,omitempty"` // why processes and files were not seen
	Rivals  []Rival          `json:"rivals,omitempty"`
	Foreign []ForeignAddress `json:"foreign,omitempty"` // VIPs on this host that kshalb has not put there

	Heard   []string `json:"heard,omitempty"` // the interfaces that were listened on
	Deaf    string   `json:"deaf,omitempty"`  // why one was not
	Adverts []Advert `json:"adverts,omitempty"`
}

// Rival is a program that floats addresses, or balances connections.
type Rival struct {
	Kind  string       `json:"kind"`            // keepalived, kube-vip, ucarp or haproxy
	Where string       `json:"where"`           // its process, or the file that starts it
	Runs  bool         `json:"runs,omitempty"`  // it is a process
	VIPs  []netip.Addr `json:"vips,omitempty"`  // those of ours that it is to have
	Ports []uint16     `json:"ports,omitempty"` // that it listens on, not for this host alone
	// Services says of kube-vip that it is for addresses of Services only.
	Services bool `json:"services,omitempty"`
}

// ForeignAddress is a VIP that somebody else has put on this host.
type ForeignAddress struct {
	Interface string       `json:"interface"`
	Prefix    netip.Prefix `json:"prefix"`
	Label     string       `json:"label,omitempty"`
	Proto     byte         `json:"proto,omitempty"` // its origin, as the kernel has it
}

// rivals are the programs whose remains are looked for.
var rivals = []string{"keepalived", "kube-vip", "ucarp", "haproxy"}

// listenTime is a little more than three times as long as VRRP's default between
// two advertisements.
const listenTime = 3500 * time.Millisecond

func lookLeftovers(ctx context.Context, l *Looker, v *View) error {
	var s Leftovers
	addresses, err := hostAddresses()
	if err != nil {
		return err
	}
	s.Foreign = l.foreign(addresses)
	var listening sync.WaitGroup
	listening.Go(func() { l.listen(ctx, &s) })
	if s.Rivals, err = l.rivals(); err != nil {
		s.Hidden = err.Error()
	}
	listening.Wait()
	v.Leftovers = &s
	return nil
}

// foreign are VIPs among addresses that are not kshalb's. kube-proxy's dummy
// interface is a topic of its own.
func (l *Looker) foreign(addresses []hostAddress) (all []ForeignAddress) {
	for _, a := range addresses {
		if l.isVIP(a.prefix.Addr()) && !a.ours() && a.link != ipvsLink {
			all = append(all, ForeignAddress{a.link, a.prefix, a.label, a.proto})
		}
	}
	return all
}

// listen listens on the VIPs' interfaces.
func (l *Looker) listen(ctx context.Context, s *Leftovers) {
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	var mu sync.Mutex
	var each sync.WaitGroup
	seen := make(map[string]bool)
	for _, vip := range l.Config.VIPs {
		link, _, err := l.home(vip)
		if err != nil || link == "" || seen[link] {
			continue
		}
		if _, err := net.InterfaceByName(link); err != nil {
			continue // told of by the topic of interfaces
		}
		seen[link] = true
		each.Go(func() {
			adverts, err := hearAdverts(ctx, link)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.Deaf = err.Error()
				return
			}
			s.Heard = append(s.Heard, link)
			s.Adverts = append(s.Adverts, adverts...)
		})
	}
	each.Wait()
	slices.Sort(s.Heard)
	slices.SortFunc(s.Adverts, Advert.compare)
}

// rivals are those that run, or will.
func (l *Looker) rivals() (all []Rival, err error) {
	processes, err := l.processes(rivals...)
	if err != nil {
		return nil, err
	}
	for _, kind := range rivals {
		var some []process
		for _, p := range processes {
			if p.name == kind {
				some = append(some, p)
			}
		}
		if len(some) > 0 {
			all = append(all, l.running(kind, some))
		} else {
			all = append(all, l.enabled(kind)...)
		}
	}
	manifests, err := l.manifests()
	for _, m := range manifests {
		if kind := m.rival(); kind != "" {
			all = append(all, Rival{Kind: kind, Where: m.file, VIPs: l.vipsIn(m.text), Services: kind == "kube-vip" && m.isForServices()})
		}
	}
	return all, err
}

// vipsIn are the VIPs that a text has.
func (l *Looker) vipsIn(text string) (found []netip.Addr) {
	for _, v := range l.Config.VIPs {
		if hasWord(text, v.Address.String()) {
			found = append(found, v.Address)
		}
	}
	return found
}

// enabled are the units that start a program with the host.
func (l *Looker) enabled(kind string) (all []Rival) {
	for _, file := range l.hostFiles("/etc/systemd/system/*.wants/" + kind + ".service") {
		r := Rival{Kind: kind, Where: file}
		if kind == "keepalived" {
			r.VIPs = l.vipsIn(l.keepalivedFile(nil))
		}
		all = append(all, r)
	}
	return all
}

// rival is which program a static pod is, by its image, or "".
func (m manifest) rival() string {
	for line := range strings.Lines(m.text) {
		key, image, ok := strings.Cut(strings.TrimLeft(line, " \t-"), "image:")
		if !ok || key != "" {
			continue
		}
		image, _, _ = strings.Cut(strings.Trim(strings.TrimSpace(image), `"'`), "@")
		name := path.Base(image)
		if i := slices.IndexFunc(rivals, func(kind string) bool { return strings.Contains(name, kind) }); i >= 0 {
			return rivals[i]
		}
	}
	return ""
}
