package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// tap hears what a host says through its cable about having the address, and
// asks it there, past the bridge.
type tap struct {
	host *Host
	vip  netip.Addr
	words
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

// words are how hosts speak of an address: ARP or Neighbour Discovery.
type words interface {
	// filter lets the frames pass that parse may understand; the Ethernet type
	// has been looked at.
	filter() []bpf.Instruction
	etherType() ethernet.EtherType
	// question is a frame that asks for vip. It carries at least the low byte of
	// the round, and changes nobody's idea of where vip is.
	question(vip netip.Addr, round uint32) (frame []byte, err error)
	// parse reads a frame. of is what the question carried, if it answers one.
	parse(b []byte, vip netip.Addr) (of uint32, answers bool, c Claim, ok bool)
	// same reports whether the question of a round carried what an answer brought.
	same(round, of uint32) bool
}

func wordsFor(vip netip.Addr) words {
	if vip.Is4() {
		return arpWords{}
	}
	return ndWords{}
}

// incoming accepts frames of w that come in. The bridge takes frames away before
// a socket bound to one type would see them, so the socket takes all frames and
// this filter drops most.
func incoming(w words) ([]bpf.RawInstruction, error) {
	const snap, end = 256, 0
	all := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.RetConstant{Val: end},
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(w.etherType()), SkipTrue: 1},
		bpf.RetConstant{Val: end},
	}
	all = append(all, w.filter()...)
	return bpf.Assemble(append(all, bpf.RetConstant{Val: snap}))
}

func (s *netSwitch) tap(h *Host, vip netip.Addr) (*tap, error) {
	t := &tap{host: h, vip: vip, words: wordsFor(vip)}
	filter, err := incoming(t.words)
	if err != nil {
		return nil, fmt.Errorf("assemble the filter of frames: %w", err)
	}
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

// asker begins the hardware address from which the watch asks. 06: locally
// administered.
const asker = "\x06l"

// ask asks the host for the address. A cable that is down is not an error: it
// gets no answer.
func (t *tap) ask(round uint32) error {
	frame, err := t.question(t.vip, round)
	if err != nil {
		return fmt.Errorf("make a question for %s: %w", t.vip, err)
	}
	t.mu.Lock()
	t.asked[round%uint32(len(t.asked))] = question{round, time.Now()}
	t.mu.Unlock()
	_, err = t.conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
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
		of, answers, c, ok := t.parse(t.buf[:n], t.vip)
		switch {
		case ok && answers:
			if s := t.answer(of, now); s != nil {
				return heard{answer: s}, nil
			}
		case ok:
			c.At, c.Host = now, t.host.name
			return heard{claim: c}, nil
		}
	}
}

// answer finds the question of a round. It has none for an answer that took
// longer than the questions are remembered.
func (t *tap) answer(round uint32, now time.Time) *Sighting {
	t.mu.Lock()
	q := t.asked[round%uint32(len(t.asked))]
	t.mu.Unlock()
	if !t.same(q.round, round) {
		return nil
	}
	return &Sighting{t.host.name, q.round, q.at, now}
}
