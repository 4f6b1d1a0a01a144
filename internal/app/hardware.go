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

// tellHardware tells the peers from where this node speaks.
func (a *App) tellHardware() {
	cards, err := vip.HardwareAddrs()
	if err == nil {
		cards = cards[:min(len(cards), maxCards)]
		err = a.cluster.gossip.SetMeta(slices.Concat(cards...))
	}
	if err != nil {
		a.log.Warn("the peers do not learn this node's hardware addresses, and may take it for a stranger", "err", err)
	}
}

// learnHardware takes what the peers have told.
func (a *App) learnHardware() {
	for _, p := range a.cluster.gossip.Peers() {
		a.hardware.learn(p.Name, p.Meta)
	}
	for _, f := range a.floats {
		f.manager.Recheck() // who was a stranger may be none
	}
}
