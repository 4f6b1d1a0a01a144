package vip

import (
	"net"
	"time"
)

// ears hear on a link who speaks for the VIP, and ask. All but the channel is for
// one goroutine.
type ears interface {
	// listen begins to hear on l, in place of another link. It reports whether
	// there can be anybody: only Ethernet has neighbours.
	listen(l link) (ethernet bool, err error)
	// claims are the senders of frames that say so.
	claims() <-chan hardware
	// ask asks who has the VIP.
	ask() error
	// deafen ends listen; what was heard before may still come.
	deafen()
	// own are the hardware addresses of this host.
	own() (map[hardware]bool, error)
}

// ownFor is how long what is known of this host's hardware addresses is believed
// when a strange one turns up.
const ownFor = time.Second

// neighbours is what Run's goroutine knows of others who speak for the VIP.
type neighbours struct {
	ears
	judge *judge
	peer  func(net.HardwareAddr) string
	link  link // where it listens
	mine  map[hardware]bool
	asked time.Time // when mine was
}

func newNeighbours(m *Manager) *neighbours {
	n := &neighbours{ears: m.host, peer: m.cfg.Peer}
	n.judge = newJudge(m.cfg.Force, m.log, m.conflicts, n.kin)
	return n
}

// kin says whose a hardware address is.
func (n *neighbours) kin(hw hardware) (peer string, own bool) {
	if n.peer != nil {
		peer = n.peer(hw[:])
	}
	if peer == "" && !n.mine[hw] && time.Since(n.asked) > ownFor {
		n.mine, _ = n.own() // what can't be known is not ours
		n.asked = time.Now()
	}
	return peer, n.mine[hw]
}

// follow listens where the VIP is, or is to be. When there is no such place now it
// stays where it was: the link may come back.
func (n *neighbours) follow(m *Manager) {
	l, err := m.host.able()
	if err != nil || l == n.link {
		return
	}
	ethernet, err := n.listen(l)
	if err != nil {
		m.log.Warn("others who have the VIP would not be heard", "interface", l.name, "err", err)
		return // the next change tries again
	}
	if l.index != n.link.index {
		n.judge.follow(time.Now(), l, ethernet)
	}
	n.link = l
}

// tick asks when it is time to.
func (n *neighbours) tick(m *Manager) {
	if !n.judge.tick(time.Now()) {
		return
	}
	if err := n.ask(); err != nil {
		m.log.Debug("could not ask who has the VIP", "interface", n.link.name, "err", err)
	}
}
