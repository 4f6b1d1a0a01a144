package kubekey

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// maxMasters is how many masters become peers; kshalb itself takes fewer, which is
// noted.
const maxMasters = 100

// The most names that one range, and that all of a file, may stand for.
const (
	maxRange = 1000
	maxNames = 10_000
)

var rangeRule = regexp.MustCompile(`^(.*?)\[(\d{1,6}):(\d{1,6})\](.*)$`)

// expand writes out NAME[FROM:TO], both ends included. As with KubeKey, leading
// zeros do not count and what follows the bracket is dropped.
func (r *reader) expand(text string) ([]string, error) {
	if r.used++; r.used > maxNames {
		return nil, errors.New("there are more names than in any cluster; this one was not read")
	}
	m := rangeRule.FindStringSubmatch(text)
	if m == nil {
		return []string{text}, nil
	}
	from, _ := strconv.Atoi(m[2])
	to, _ := strconv.Atoi(m[3])
	size := to - from + 1
	switch {
	case m[4] != "":
		return nil, errors.New("KubeKey drops what follows the range; write the names out")
	case size < 1:
		return nil, errors.New("the range goes backwards, so that it is empty")
	case size > maxRange || r.used+size > maxNames:
		return nil, errors.New("the range has more names than any cluster")
	}
	r.used += size
	names := make([]string, 0, size)
	for i := from; i <= to; i++ {
		names = append(names, m[1]+strconv.Itoa(i))
	}
	return names, nil
}

// group reads a list of hosts: those that are there, each once, in order.
func (r *reader) group(list yamlnode.Node, what string) []*host {
	if list.Given() && !list.IsList() {
		r.p.Note(plan.Fault, list.At(), what, "is no list of hosts")
	}
	var hosts []*host
	for _, item := range list.Items() {
		entry := fmt.Sprintf("%s: %s", what, yamlnode.Shown(item))
		names, err := r.expand(item.Text())
		if err != nil || item.Text() == "" {
			if err == nil {
				err = errors.New("is no name of a host")
			}
			r.p.Note(plan.Fault, item.At(), entry, err.Error())
		}
		var missing []string
		for _, name := range names {
			h := r.hosts[name]
			switch {
			case h == nil:
				missing = append(missing, name)
			case !slices.Contains(hosts, h):
				hosts = append(hosts, h)
			}
		}
		if missing != nil && item.Text() != "" {
			r.p.Note(plan.Fault, item.At(), entry, fmt.Sprintf("%s: not among the hosts; KubeKey refuses that, so add them there or take them out here", yamlnode.Words(missing)))
		}
	}
	return hosts
}

// masters makes peers of hosts, and the first one the bootstrap node: KubeKey runs
// kubeadm init there.
func (r *reader) masters(hosts []*host, at plan.Source) {
	for n, h := range hosts {
		h.master = true
		if n >= maxMasters {
			continue
		}
		peer := plan.Peer{Address: h.addr}
		if yamlnode.IsName(h.name) {
			peer.Name = plan.Of(h.name, h.at)
		} else {
			r.p.Note(plan.Changed, h.at, "host "+yamlnode.Word(h.name), "kshalb does not take the name for a peer, so it gets another one")
		}
		if !h.addr.Given() {
			r.p.Note(plan.Fault, h.at, "host "+yamlnode.Word(h.name)+": no IP address", "a master is a peer of kshalb, and needs one that the other masters reach")
		}
		r.sameAddress(h)
		if len(h.others) > 0 {
			r.p.Note(plan.Changed, h.addr.From, fmt.Sprintf("%s: also %s", yamlnode.Word(h.name), h.others[0]), fmt.Sprintf("a peer has one address: %s was taken", h.addr.V))
		}
		r.p.Peers = append(r.p.Peers, peer)
	}
	if len(hosts) > 0 && yamlnode.IsName(hosts[0].name) {
		r.p.Bootstrap = plan.Because(hosts[0].name, at, "KubeKey makes the cluster's first master of the first host of the group")
	}
}

// sameAddress notes a master whose address an earlier one has.
func (r *reader) sameAddress(h *host) {
	if !h.addr.Given() {
		return
	}
	for _, p := range r.p.Peers {
		if p.Address.V == h.addr.V {
			r.p.Note(plan.Fault, h.addr.From, fmt.Sprintf("%s: address %s", yamlnode.Word(h.name), h.addr.V), "another master has it; each peer needs its own")
		}
	}
}
