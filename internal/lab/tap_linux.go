package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// tap hears the ARP frames that come through one host's cable and asks the
// host through it, past the bridge.
type tap struct {
	host *Host
	vip  netip.Addr
	conn *packet.Conn
	buf  [256]byte // only read uses it

	mu    sync.Mutex
	asked [256]question // by round, modulo
}

type question struct {
	round uint32
	at    time.Time
}

// heard is one frame: an answer to the watch's question, or another claim.
type heard struct {
	answer *Sighting
	claim  Claim
}

// incomingARP accepts ARP frames that come in. The bridge takes frames away
// before a socket bound to ARP would see them, so the socket takes all frames
// and this filter drops most.
func incomingARP() ([]bpf.RawInstruction, error) {
	return bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(ethernet.EtherTypeARP), SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.RetConstant{Val: 256},
		bpf.RetConstant{Val: 0},
	})
}

func (s *netSwitch) tap(h *Host, vip netip.Addr) (*tap, error) {
	filter, err := incomingARP()
	if err != nil {
		return nil, fmt.Errorf("assemble the ARP filter: %w", err)
	}
	t := &tap{host: h, vip: vip}
	port := h.port.Attrs()
	err = s.ns.do(func() error {
		ifi := &net.Interface{Index: port.Index, Name: port.Name}
		t.conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen at the cable of %s: %w", h.name, err)
	}
	return t, nil
}

func (t *tap) close() { _ = t.conn.Close() }

// asker marks the watch's questions, and the answers to them: the four bytes
// behind it are the round.
const asker = "\x06l"

// ask asks the host for the address. A cable that is down is not an error: it
// gets no answer.
func (t *tap) ask(round uint32) error {
	from := binary.BigEndian.AppendUint32([]byte(asker), round)
	p, err := arp.NewPacket(arp.OperationRequest, from, netip.IPv4Unspecified(), make(net.HardwareAddr, 6), t.vip)
	if err != nil {
		return fmt.Errorf("make an ARP probe: %w", err)
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return fmt.Errorf("make an ARP probe: %w", err)
	}
	frame, err := (&ethernet.Frame{
		Destination: ethernet.Broadcast, Source: from, EtherType: ethernet.EtherTypeARP, Payload: payload,
	}).MarshalBinary()
	if err != nil {
		return fmt.Errorf("make an ARP probe: %w", err)
	}
	t.mu.Lock()
	t.asked[round%uint32(len(t.asked))] = question{round, time.Now()}
	t.mu.Unlock()
	_, err = t.conn.WriteTo(frame, &packet.Addr{HardwareAddr: ethernet.Broadcast})
	if err != nil && !isDown(err) {
		return fmt.Errorf("ask %s for %s: %w", t.host.name, t.vip, err)
	}
	return nil
}

// isDown tells what a packet socket says of an interface that is down.
func isDown(err error) bool {
	return errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENOBUFS)
}

// read waits for the next frame in which the host says that it has the address.
func (t *tap) read() (heard, error) {
	for {
		n, _, err := t.conn.ReadFrom(t.buf[:])
		now := time.Now()
		if err != nil && isDown(err) {
			continue // told once, when the cable goes down
		}
		if err != nil {
			return heard{}, fmt.Errorf("listen at the cable of %s: %w", t.host.name, err)
		}
		if h, ok := t.parse(t.buf[:n], now); ok {
			return h, nil
		}
	}
}

func (t *tap) parse(b []byte, now time.Time) (heard, bool) {
	var f ethernet.Frame
	var p arp.Packet
	if f.UnmarshalBinary(b) != nil || p.UnmarshalBinary(f.Payload) != nil || p.SenderIP != t.vip {
		return heard{}, false
	}
	if strings.HasPrefix(string(p.TargetHardwareAddr), asker) {
		s, ok := t.answer(binary.BigEndian.Uint32(p.TargetHardwareAddr[len(asker):]), now)
		return heard{answer: s}, ok
	}
	return heard{claim: Claim{
		At: now, Host: t.host.name, MAC: p.SenderHardwareAddr,
		Reply: p.Operation == arp.OperationReply, Gratuitous: p.SenderIP == p.TargetIP,
	}}, true
}

// answer finds the question of a round. It has none for an answer that took
// longer than the questions are remembered.
func (t *tap) answer(round uint32, now time.Time) (*Sighting, bool) {
	t.mu.Lock()
	q := t.asked[round%uint32(len(t.asked))]
	t.mu.Unlock()
	return &Sighting{t.host.name, round, q.at, now}, q.round == round
}
