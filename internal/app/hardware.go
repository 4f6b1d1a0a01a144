package app

import (
	"net"
	"slices"
	"sync"

	"github.com/kshalb/kshalb/pkg/vip"
)

// hardware knows whose network cards are whose: a peer that says it has the VIP is
// no stranger. What a peer has said is remembered while this process lives, for a
// frame may outlive its sender.
type hardware struct {
	mu    sync.Mutex
	peers map[[cardAddr]byte]string
}

const (
	cardAddr = 6  // bytes of a hardware address of Ethernet
	maxCards = 64 // that a node tells of; memberlist takes 512 bytes
	maxKnown = 4096
)

// What a node tells of itself by gossip is its hardware addresses and, behind them,
// its role in one byte, which makes the length odd.
const (
	roleUnknown byte = iota // an older kshalb says nothing
	roleMaster
	roleWitness
)

func metaOf(cards []net.HardwareAddr, role byte) []byte {
	var meta []byte
	for _, c := range cards[:min(len(cards), maxCards)] {
		meta = append(meta, c...)
	}
	return append(meta, role)
}

func roleIn(meta string) byte {
	if len(meta)%cardAddr != 1 {
		return roleUnknown
	}
	return meta[len(meta)-1]
}

func newHardware() *hardware { return &hardware{peers: make(map[[cardAddr]byte]string)} }

// learn takes what a peer says of itself.
func (h *hardware) learn(peer, meta string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for b := []byte(meta); len(b) >= cardAddr && len(h.peers) < maxKnown; b = b[cardAddr:] {
		h.peers[[cardAddr]byte(b)] = peer
	}
}

// peer is whose a hardware address is, or "".
func (h *hardware) peer(hw net.HardwareAddr) string {
	if len(hw) != cardAddr {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.peers[[cardAddr]byte(hw)]
}

// tellMeta tells the peers what this node is, and from where it speaks.
func (a *App) tellMeta() {
	cards, err := vip.HardwareAddrs()
	if err != nil {
		a.log.Warn("the peers do not learn this node's hardware addresses, and may take it for a stranger", "err", err)
	}
	role := roleMaster
	if a.self.Witness {
		role = roleWitness
	}
	cards = slices.DeleteFunc(cards, func(c net.HardwareAddr) bool { return len(c) != cardAddr })
	if err := a.cluster.gossip.SetMeta(metaOf(cards, role)); err != nil {
		a.log.Warn("the peers do not learn what this node is", "err", err)
	}
}

// learnMeta takes what the peers have told, and who else is there.
func (a *App) learnMeta() {
	for _, p := range a.cluster.gossip.Peers() {
		a.hardware.learn(p.Name, p.Meta)
	}
	for _, p := range a.cluster.gossip.Guests() {
		a.hardware.learn(p.Name, p.Meta)
	}
	a.finder.look()
	for _, f := range a.floats {
		f.manager.Recheck() // who was a stranger may be none
	}
}
