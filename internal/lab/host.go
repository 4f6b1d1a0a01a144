package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Host is a network namespace with a cable to the switch. Its methods are safe
// for concurrent use.
type Host struct {
	lab   *Lab
	name  string
	dir   string
	mac   net.HardwareAddr
	addrs []netip.Prefix
	ns    *namespace
	port  netlink.Link // the switch's end of the cable
}

func newHost(l *Lab, name string, number int, addrs []netip.Prefix) (*Host, error) {
	h := &Host{
		lab: l, name: name, addrs: addrs,
		mac: net.HardwareAddr{0x02, 'l', 'a', 'b', 0, byte(number)}, // 02: locally administered
	}
	var err error
	if h.dir, err = l.hostDir(name); err != nil {
		return nil, err
	}
	if h.ns, err = newNamespace(); err != nil {
		return nil, err
	}
	veth, err := l.sw.plug(fmt.Sprintf("port%d", number), h.mac, h.ns)
	if err == nil {
		err = h.ns.address(addrs)
	}
	if err != nil {
		h.ns.close()
		return nil, err
	}
	h.port = veth
	return h, nil
}

// Name of the host.
func (h *Host) Name() string { return h.name }

// Dir is a directory of the host's own in [Lab.Dir].
func (h *Host) Dir() string { return h.dir }

// MAC is the hardware address of eth0.
func (h *Host) MAC() net.HardwareAddr { return h.mac }

// Addresses are those that the host was added with.
func (h *Host) Addresses() []netip.Prefix { return h.addrs }

// Addr is the first of them.
func (h *Host) Addr() netip.Addr { return h.addrs[0].Addr() }

// Has reports whether ip is on an interface of the host right now.
func (h *Host) Has(ip netip.Addr) (bool, error) {
	has, err := h.ns.has(ip)
	if err != nil {
		return false, fmt.Errorf("list addresses of %s: %w", h.name, err)
	}
	return has, nil
}

// Lose takes ip off the host's interfaces, as a reboot does. That it has none is
// no error.
func (h *Host) Lose(ip netip.Addr) error {
	if err := h.ns.lose(ip); err != nil {
		return fmt.Errorf("take %s off %s: %w", ip, h.name, err)
	}
	return nil
}

// Do runs f inside the host's namespace, on a thread of its own. What f opens
// stays in the namespace; goroutines that it starts are outside.
func (h *Host) Do(f func() error) error { return h.ns.do(f) }

// Listen listens on the host, as [net.Listen] does. The address must not be a
// name.
func (h *Host) Listen(network, address string) (ln net.Listener, err error) {
	err = h.Do(func() error {
		ln, err = net.Listen(network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", h.name, err)
	}
	return ln, nil
}

// DialContext connects from the host, as [net.Dialer.DialContext] does. The
// address must not be a name: names are looked up outside. It fits
// http.Transport.DialContext and rest.Config.Dial.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	var d net.Dialer
	err = h.Do(func() error {
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dial from %s: %w", h.name, err)
	}
	return conn, nil
}

// Cut takes the network from the host. Faults add up until Heal.
func (h *Host) Cut(f Fault) error {
	if err := h.lab.sw.cut(h.port, f); err != nil {
		return fmt.Errorf("cut %s off: %w", h.name, err)
	}
	return nil
}

// Heal undoes every Cut.
func (h *Host) Heal() error {
	if err := h.lab.sw.heal(h.port); err != nil {
		return fmt.Errorf("connect %s again: %w", h.name, err)
	}
	return nil
}

// Block drops every frame from this host to another one, until Unblock. The
// other direction is not touched.
func (h *Host) Block(to *Host) error { return h.lab.Block(Path{h, to}) }

// Unblock undoes Block.
func (h *Host) Unblock(to *Host) error { return h.lab.Unblock(Path{h, to}) }
