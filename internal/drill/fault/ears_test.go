package fault

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/packet"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// ears are on the wires between host a, which is cut off, and host b.
type ears struct {
	*testing.T
	a, b *lab.Host

	mu    sync.Mutex
	heard map[string][]time.Time // by who heard what
}

// What is heard.
const (
	fromA = "b hears packets of a"
	rawA  = "b hears what a packet socket of a sends"
	fromB = "a hears packets of b"
	selfA = "a hears itself"
)

// etherTest is IEEE 802's first ethertype for experiments.
const etherTest = 0x88b5

// prick has both hosts speak each few milliseconds.
func prick(t *testing.T) *ears {
	t.Helper()
	l := labtest.New(t)
	e := &ears{T: t, heard: make(map[string][]time.Time)}
	for i, to := range []**lab.Host{&e.a, &e.b} {
		var err error
		*to, err = l.AddHost(string(rune('a'+i)), netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24))
		must(t, err)
	}
	e.flow(fromA, e.a, e.b)
	e.flow(fromB, e.b, e.a)
	e.flow(selfA, e.a, e.a)
	e.rawFlow()
	e.wait(fromA, fromB, selfA, rawA)
	return e
}

func (e *ears) hear(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[what] = append(e.heard[what], time.Now())
}

// flow is packets from one host to another.
func (e *ears) flow(what string, from, to *lab.Host) {
	e.Helper()
	var in, out net.PacketConn
	var err error
	must(e.T, to.Do(func() error { in, err = net.ListenPacket("udp4", "0.0.0.0:0"); return err }))
	must(e.T, from.Do(func() error { out, err = net.ListenPacket("udp4", "0.0.0.0:0"); return err }))
	dst := &net.UDPAddr{IP: to.Addr().AsSlice(), Port: in.LocalAddr().(*net.UDPAddr).Port}
	e.pump(what, in, func() { _, _ = out.WriteTo([]byte("x"), dst) }, func() { in.Close(); out.Close() })
}

// rawFlow is what goes past all but the card.
func (e *ears) rawFlow() {
	e.Helper()
	dial := func(h *lab.Host) (conn *packet.Conn) {
		must(e.T, h.Do(func() error {
			i, err := net.InterfaceByName("eth0")
			if err == nil {
				conn, err = packet.Listen(i, packet.Datagram, etherTest, nil)
			}
			return err
		}))
		return conn
	}
	in, out := dial(e.b), dial(e.a)
	all := &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	e.pump(rawA, in, func() { _, _ = out.WriteTo(make([]byte, 46), all) }, func() { in.Close(); out.Close() })
}

func (e *ears) pump(what string, in net.PacketConn, send, hangUp func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			send()
		}
	})
	done.Go(func() {
		for b := make([]byte, 100); ; e.hear(what) {
			if _, _, err := in.ReadFrom(b); err != nil {
				return
			}
		}
	})
	e.Cleanup(func() { cancel(); hangUp(); done.Wait() })
}

// wait waits until all that is heard that was sent from now on.
func (e *ears) wait(whats ...string) {
	e.Helper()
	now, late := time.Now(), time.Now().Add(20*time.Second)
	for _, what := range whats {
		for !e.last(what).After(now) {
			if time.Now().After(late) {
				e.Fatal("nothing: ", what)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func (e *ears) last(what string) (at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if all := e.heard[what]; len(all) > 0 {
		at = all[len(all)-1]
	}
	return at
}

// silence is the longest time without, since a moment.
func (e *ears) silence(what string, since time.Time) (longest time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var last time.Time
	for _, at := range e.heard[what] {
		if at.After(since) && !last.IsZero() {
			longest = max(longest, at.Sub(last))
		}
		last = at
	}
	return longest
}

// cutting reports whether a cut lasts on host a. Its tables alone do not say so: those
// of a trial may be seen for a moment, too.
func (e *ears) cutting() (yes bool) {
	e.Helper()
	must(e.T, e.a.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		set, err := conn.GetSetByName(&nftables.Table{Family: nftables.TableFamilyNetdev, Name: Table}, "cut")
		if err != nil {
			return nil // there is none
		}
		elements, err := conn.GetSetElements(set)
		yes = err == nil && len(elements) > 0
		return nil
	}))
	return yes
}

// tables are those of a cut on host a.
func (e *ears) tables() (n int) {
	e.Helper()
	must(e.T, e.a.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		all, err := conn.ListTables()
		for _, t := range all {
			if t.Name == Table {
				n++
			}
		}
		return err
	}))
	return n
}
