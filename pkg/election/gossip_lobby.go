package election

import (
	"fmt"
	"log"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// lobby is a second memberlist on the sockets of the first one, for the guests.
//
// One list for both would not do. memberlist does not say who sent a message, and a
// message of the election only says itself whose it is: a copy of a voter's disk with
// another address could vote in its name, and then there are two majorities. So what
// comes from hosts that are no peers' goes to this list, whose messages are dropped,
// and the first one never hears of a guest. A guest is not aware of the difference:
// it has this node among its peers, and this node speaks in its own name here too.
type lobby struct {
	list *memberlist.Memberlist // nil: nobody is let in
}

// lobbyGossip is memberlist's interval for rounds of gossip; below leaveTimeout, for
// the goodbye goes with them. Mostly nobody is there to be told.
const lobbyGossip = 400 * time.Millisecond

// openLobby opens the lobby on sockets; cfg are the first list's settings.
func (g *Gossip) openLobby(t *transport, cfg memberlist.Config) error {
	if g.keyring == nil {
		return nil
	}
	cfg.Transport = lobbyTransport{t, g.door}
	cfg.GossipInterval = lobbyGossip
	cfg.Delegate, cfg.Events, cfg.Alive = lobbyDelegate{delegate{g}}, visitors{g}, visitors{g}
	cfg.Logger = log.New(lobbyLog{g}, "", 0)
	if g.tuneLobby != nil {
		g.tuneLobby(&cfg)
	}
	list, err := memberlist.Create(&cfg)
	if err != nil {
		return fmt.Errorf("let guests in: %w", err)
	}
	g.lobby.list = list
	return nil
}

// update tells the guests of new metadata.
func (l *lobby) update(timeout time.Duration) error {
	if l.list == nil {
		return nil
	}
	return l.list.UpdateNode(timeout)
}

// leave says goodbye to the guests.
func (l *lobby) leave(timeout time.Duration) error {
	if l.list == nil {
		return nil
	}
	return l.list.Leave(timeout)
}

// close leaves the sockets open.
func (l *lobby) close() error {
	if l.list == nil {
		return nil
	}
	return l.list.Shutdown()
}

// lobbyTransport sends by the sockets of the first list and gets what the door lets in.
type lobbyTransport struct {
	*transport
	door *door
}

func (t lobbyTransport) PacketCh() <-chan *memberlist.Packet { return t.door.packets }
func (t lobbyTransport) StreamCh() <-chan net.Conn           { return t.door.streams }
func (t lobbyTransport) Shutdown() error                     { return nil }

// lobbyDelegate carries metadata only.
type lobbyDelegate struct{ delegate }

// NotifyMsg drops what guests say of the election. memberlist does not say who it was.
func (d lobbyDelegate) NotifyMsg([]byte) { d.g.ignored.add(reasonStranger) }

// visitors says who is a guest, and hears who comes and goes.
type visitors struct{ g *Gossip }

func (v visitors) NotifyAlive(n *memberlist.Node) error {
	return v.g.admitGuest(n.Name, addrPort(n.Addr, n.Port))
}

func (v visitors) NotifyJoin(n *memberlist.Node)   { v.heardOf(n, PeerAlive) }
func (v visitors) NotifyLeave(n *memberlist.Node)  { v.heardOf(n, PeerDead) }
func (v visitors) NotifyUpdate(n *memberlist.Node) { v.heardOf(n, PeerAlive) }

func (v visitors) heardOf(n *memberlist.Node, state PeerState) {
	v.g.seeGuest(n.Name, sighting{addrPort(n.Addr, n.Port), state, string(n.Meta)})
}

// lobbyLog takes the lobby's lines. Whoever stands at the door is no peer: what of his
// cannot be understood is a stranger's, and nothing of it is an error here.
type lobbyLog struct{ g *Gossip }

func (l lobbyLog) Write(line []byte) (int, error) {
	_, message, _ := strings.Cut(strings.TrimSpace(string(line)), " memberlist: ")
	message, source := cutSource(message)
	if explain(message).reason != "" {
		l.g.turnAway(source)
	} else {
		l.g.cfg.Log.Debug("gossip with guests: "+message, from(source)...)
	}
	return len(line), nil
}
