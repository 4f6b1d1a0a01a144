package doctor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/config"
)

// Port is one listener as a host has it.
type Port struct {
	Listener string  `json:"listener"`
	Holds    bool    `json:"holds,omitempty"`  // the VIP is on this host
	Moved    bool    `json:"moved,omitempty"`  // it came or went meanwhile
	Owners   []Owner `json:"owners,omitempty"` // who has sockets that are to be kshalb's, or are in their way

	// Here is a connect to the listener's address from this host, and Inside one from
	// a network namespace beside it, as a pod's. nil: it was not tried.
	Here   *Trial `json:"here,omitempty"`
	Inside *Trial `json:"inside,omitempty"`
	// Hidden is why Inside was not tried although Holds.
	Hidden string `json:"hidden,omitempty"`
}

// Trial is what came of a connect.
type Trial struct {
	Way   string         `json:"way"` // Reached, Refused, Silent, Failed
	Error string         `json:"error,omitempty"`
	By    netip.AddrPort `json:"by,omitzero"` // the socket of this host that took it, if one did
}

// acceptWait bounds how long the socket is looked for that has taken a connection.
const acceptWait = 500 * time.Millisecond

func lookPort(ctx context.Context, l *Looker, v *View) error {
	ports := make([]Port, len(l.Config.Listeners))
	for i, listener := range l.Config.Listeners {
		ports[i] = Port{Listener: listener.Name, Holds: l.has(listener.Address.Addr())}
		var err error
		if ports[i].Owners, err = l.portOwners(listener); err != nil {
			return err
		}
	}
	var trying sync.WaitGroup
	trying.Go(func() { l.tryInside(ctx, ports) })
	for i, listener := range l.Config.Listeners {
		if listener.VIP != "" {
			trying.Go(func() { ports[i].Here = l.try(ctx, listener) })
		}
	}
	trying.Wait()
	for i, listener := range l.Config.Listeners {
		ports[i].Moved = ports[i].Holds != l.has(listener.Address.Addr())
	}
	v.Ports = ports
	return nil
}

// has reports whether an address is on this host.
func (l *Looker) has(ip netip.Addr) bool {
	addresses, err := hostAddresses()
	return err == nil && slices.ContainsFunc(addresses, func(a hostAddress) bool { return a.prefix.Addr() == ip })
}

// portOwners are who has the sockets of a listener, or keeps kshalb from them: on
// a redirected port that is who is at the VIP itself, since others may have it.
func (l *Looker) portOwners(of config.Listener) ([]Owner, error) {
	sockets, err := hostSockets(unix.IPPROTO_TCP, listening, of.Bind.Port())
	if err != nil {
		return nil, err
	}
	sockets = slices.DeleteFunc(sockets, func(s hostSocket) bool { return !s.inTheWay(of.Bind) })
	if of.Address != of.Bind {
		public, err := hostSockets(unix.IPPROTO_TCP, listening, of.Address.Port())
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, slices.DeleteFunc(public, func(s hostSocket) bool { return s.at != of.Address })...)
	}
	owners := l.told(sockets)
	slices.SortFunc(owners, func(a, b Owner) int { return a.At.Compare(b.At) })
	return slices.Compact(owners), nil // a socket for each of several that share
}

// try connects to a listener's address from this host.
func (l *Looker) try(ctx context.Context, to config.Listener) *Trial {
	conn, err := dial(ctx, "tcp", netip.Addr{}, to.Address)
	return trial(ctx, conn, err, to)
}

// trial is what came of a connect, which it closes.
func trial(ctx context.Context, conn net.Conn, err error, to config.Listener) *Trial {
	t := &Trial{Way: outcome(err)}
	if t.Way == Failed {
		t.Error = err.Error()
	}
	if err == nil {
		t.By = takenBy(ctx, conn, to)
		conn.Close()
	}
	return t
}

// takenBy is the address of the socket at this end of which a connection ended
// up, behind what redirects it.
func takenBy(ctx context.Context, conn net.Conn, to config.Listener) netip.AddrPort {
	client := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	client = netip.AddrPortFrom(client.Addr().Unmap(), client.Port())
	ctx, cancel := context.WithTimeout(ctx, acceptWait)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		for _, port := range slices.Compact([]uint16{to.Bind.Port(), to.Address.Port()}) {
			sockets, _ := hostSockets(unix.IPPROTO_TCP, established, port)
			for _, s := range sockets {
				if s.peer == client {
					tick.Stop()
					return s.at
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return netip.AddrPort{}
		}
	}
}
