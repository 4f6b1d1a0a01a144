package failover

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

// locktime is for how long Linux keeps to a neighbour that it has just learnt,
// whatever it hears (net.ipv4.neigh.*.locktime); the lab's switch forgets after
// twice that.
const locktime = time.Second

// The scenes that an address of the other kind could change.
func TestIPv6(t *testing.T) {
	play(t, masters(t, cluster.Options{IPv6: true}), []act{
		{"clients everywhere", fromEverywhere},
		{"kill -9", killed},
		{"SIGTERM", terminated},
		{"link down", linkDown},
		{"isolated", isolated},
		{"SIGSTOP", frozen},
		{"a client has just asked", justAsked},
		{"somebody takes the address away", addressLost},
		{"a stranger announces the address", announcedElsewhere},
	})
}

// A client that has asked for the address 50 ms before it moves comes over at
// once: announcements are made so that they count all the same.
func justAsked(s *scene) {
	must(s.T, forget(s.Client, s.VIP))
	<-time.After(50 * time.Millisecond) // the time that the scene is about; connections ask meanwhile
	fault := time.Now()
	_, err := asked(s.holder, "handover")
	must(s.T, err)
	s.moves(fault)
	if sum := s.traffic.Summary(fault, time.Now()); sum.Gap > locktime/2 {
		s.Errorf("no request was answered for %v: the client kept to the old holder", sum.Gap)
	}
	s.settled(fault)
}

// forget has a host ask anew for the address.
func forget(h *lab.Host, ip netip.Addr) error {
	return h.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		err = netlink.NeighDel(&netlink.Neigh{LinkIndex: eth0.Attrs().Index, IP: ip.AsSlice()})
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	})
}

// What somebody takes from the holder is back at once, and announced.
func addressLost(s *scene) {
	fault := time.Now()
	must(s.T, s.holder.Lose(s.VIP))
	owner, back := s.owner(fault)
	if took := back.Sub(fault); owner != s.holder || took > soon {
		s.Errorf("%s has the address after %v, want %s", owner.Name(), took, s.holder.Name())
	}
	_, err := s.watch.WaitGratuitous(s.ctx, s.holder.Name(), fault)
	must(s.T, err)
	s.Logf("back after %v at most", back.Sub(fault))
	s.settled(fault)
}

// A frame of somebody who has no business with the address leads clients astray
// until the holder contradicts.
func announcedElsewhere(s *scene) {
	fault := time.Now()
	must(s.T, announce(s.Client, s.VIP))
	_, err := s.watch.WaitGratuitous(s.ctx, s.holder.Name(), fault)
	must(s.T, err)
	must(s.T, s.holder.WaitStatus(s.ctx, conflictWith(s.Client)))
	if n, err := s.holder.Metric(s.ctx, `kshalb_vip_conflicts_total{vip="apiserver"}`); err != nil || n < 1 {
		s.Errorf("%v conflicts, %v", n, err)
	}
	s.stays(fault)
	s.settled(fault)
}

// conflictWith waits for a status that names a host as another owner.
func conflictWith(h *lab.Host) func(status.Node) error {
	return func(n status.Node) error {
		if c := n.VIPs[0].Conflict; c == nil || c.MAC != h.MAC().String() {
			return fmt.Errorf("conflict %+v, want one with %s", c, h.MAC())
		}
		return nil
	}
}

// announce says once that the address is at h.
func announce(h *lab.Host, ip netip.Addr) error {
	return h.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		if ip.Is6() {
			return advertise(eth0, ip)
		}
		c, err := arp.Dial(eth0)
		if err != nil {
			return err
		}
		defer c.Close()
		p, err := arp.NewPacket(arp.OperationRequest, eth0.HardwareAddr, ip, ethernet.Broadcast, ip)
		if err != nil {
			return err
		}
		return c.WriteTo(p, ethernet.Broadcast)
	})
}

func advertise(ifi *net.Interface, ip netip.Addr) error {
	conn, _, err := ndp.Listen(ifi, ndp.LinkLocal)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.WriteTo(&ndp.NeighborAdvertisement{
		Override: true, TargetAddress: ip,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: ifi.HardwareAddr}},
	}, nil, netip.IPv6LinkLocalAllNodes())
}

// While a stranger has the address, no master takes it, and all say who it is;
// once the stranger has gone, they do.
func TestStranger(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6=%v", v6), func(t *testing.T) { stranger(t, v6) })
	}
}

func stranger(t *testing.T, v6 bool) {
	l := labtest.New(t)
	c, err := cluster.NewWith(l, binary, cluster.Options{IPv6: v6})
	must(t, err)
	h, err := l.AddHost("stranger", cluster.Address(200, v6))
	must(t, err)
	must(t, h.Do(func() error { return put(c.VIP) }))
	w, err := l.Watch(c.VIP)
	must(t, err)
	for _, m := range c.Masters {
		serve(t, m)
		must(t, m.Start())
	}
	ctx := labtest.Context(t, 3*limit)
	must(t, c.WaitReady(ctx))
	for _, m := range c.Masters {
		must(t, m.WaitStatus(ctx, conflictWith(h)))
	}
	if s, err := w.WaitOwner(labtest.Context(t, 2*time.Second), time.Now(), h.Name()); err == nil {
		t.Errorf("%s has the address while a stranger has", s.Host)
	}
	gone := time.Now()
	must(t, h.Lose(c.VIP))
	s, err := w.WaitOwner(ctx, gone, h.Name())
	must(t, err)
	t.Logf("%s has the address %v after the stranger let go", s.Host, s.To.Sub(gone))
	labtest.OneOwner(t, w)
}

// put puts an address on eth0, as people do.
func put(ip netip.Addr) error {
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	a := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen())}}
	if ip.Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	return netlink.AddrAdd(eth0, a)
}

// The address answers on every host, the holder included, and each backend is
// reached, that of the holder included.
func fromEverywhere(s *scene) {
	for _, h := range append([]*lab.Host{s.Client}, hosts(s.Masters)...) {
		by := make(map[string]int)
		client := http.Client{Timeout: limit, Transport: &http.Transport{
			DialContext: h.DialContext, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{RootCAs: s.CA.Pool(), ServerName: cluster.Name, MinVersion: tls.VersionTLS12},
		}}
		// The turns are shared with the other requests that come meanwhile.
		for n := 0; n < 100 && len(by) < len(s.Masters); n++ {
			resp, err := client.Get(fmt.Sprintf("https://%s/whoami", netip.AddrPortFrom(s.VIP, cluster.Port)))
			must(s.T, err)
			body, err := io.ReadAll(resp.Body)
			must(s.T, errors.Join(err, resp.Body.Close()))
			by[strings.TrimSpace(string(body))]++
		}
		if len(by) != len(s.Masters) {
			s.Errorf("from %s: answers by %v, want all masters", h.Name(), by)
		}
	}
}

func hosts(masters []*cluster.Master) (all []*lab.Host) {
	for _, m := range masters {
		all = append(all, m.Host)
	}
	return all
}
