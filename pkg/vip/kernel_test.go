package vip

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var testVIP = testConfig().Address

// childEnv makes the test binary a daemon that holds the test's VIP until it is
// killed.
const childEnv = "KSHALB_VIP_TEST_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := holdForever(); err != nil {
		fmt.Println("child:", err)
		os.Exit(1)
	}
}

func holdForever() error {
	m, err := New(testConfig(), slog.New(slog.NewTextHandler(os.Stdout, nil)), NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go renew(ctx, m)
	return m.Run(ctx)
}

// kernelRig is a manager that runs in a namespace of its own.
type kernelRig struct {
	*testing.T
	*Manager
	host, peer namespace
	taken      taken
}

// taken is a log that says when the VIP has been taken. The kernel's own word,
// RTM_NEWADDR, comes a little before the address has its route.
type taken chan struct{}

func (c taken) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("VIP taken")) {
		c <- struct{}{}
	}
	return len(line), nil
}

// running starts a manager of cfg in host, in the middle of nothing held.
func running(t *testing.T, cfg Config) *kernelRig {
	t.Helper()
	host, peer := cable(t)
	said := make(taken, 100)
	m, err := New(cfg, slog.New(slog.NewTextHandler(said, nil)), NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := host.start(func() error { return m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &kernelRig{t, m, host, peer, said}
}

// hold takes the VIP.
func (k *kernelRig) hold(d time.Duration) {
	k.Helper()
	k.Hold(1, time.Now().Add(d))
	select {
	case <-k.taken:
	case <-time.After(10 * time.Second):
		k.Fatalf("not taken: %+v", k.Status())
	}
}

// keep takes the VIP as a lease does, and extends it until stop is called.
func (k *kernelRig) keep() (stop func()) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	done := make(chan struct{})
	k.hold(time.Second)
	go func() {
		defer close(done)
		renew(ctx, k.Manager)
	}()
	return func() { cancel(); <-done }
}

// renew extends the time that m holds the VIP, again and again.
func renew(ctx context.Context, m *Manager) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		m.Hold(1, time.Now().Add(time.Second))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (k *kernelRig) withdraw() {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), 10*time.Second)
	defer cancel()
	if err := k.Withdraw(ctx); err != nil {
		k.Fatal(err)
	}
}

// tables returns the names of the host's nftables tables.
func tables(t *testing.T, n namespace) (names []string) {
	t.Helper()
	n.do(t, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		all, err := conn.ListTables()
		for _, table := range all {
			names = append(names, table.Name)
		}
		return err
	})
	return names
}

func TestKernelAddress(t *testing.T) {
	k := running(t, testConfig())
	k.hold(time.Minute)
	got := k.host.addressesOf(t, testVIP)
	if len(got) != 1 {
		t.Fatalf("VIP is there %d times, want once: %+v", len(got), got)
	}
	a := got[0]
	if !a.ours() || a.prefix != 32 || a.preferred != 0 || a.valid > 1 || a.label != hostIf+":kshalb" || a.proto != Proto {
		t.Errorf("address %+v", a)
	}
	if a.proto = 0; !a.ours() {
		t.Error("an older kernel's address would not be known as ours")
	}
	k.host.do(t, func() error { // connected UDP asks for a source address and sends nothing
		c, err := net.Dial("udp", "10.99.0.2:9")
		if err != nil {
			return err
		}
		defer c.Close()
		if got := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); got == testVIP {
			return errors.New("the VIP is picked as a source address")
		}
		return nil
	})
	k.withdraw()
	if got := k.host.addressesOf(t, testVIP); len(got) != 0 {
		t.Errorf("VIP is still there after Withdraw: %+v", got)
	}
	if got := k.host.addressesOf(t, netip.MustParseAddr("10.99.0.1")); len(got) != 1 || got[0].valid != forever {
		t.Errorf("the host's own address has changed: %+v", got)
	}
	if got := tables(t, k.host); len(got) != 0 {
		t.Errorf("tables are left: %v", got)
	}
}

func TestKernelLongInterfaceName(t *testing.T) {
	host, _ := cable(t)
	const long = "enp0s31f6vlan1"
	host.do(t, func() error {
		return errors.Join(
			netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: long}, PeerName: "end0"}),
			configure("end0", "192.0.2.1/32"),
			configure(long, "10.98.0.1/24"))
	})
	host.carrier(t, long)
	host.do(t, func() error {
		cfg := testConfig()
		cfg.Address = netip.MustParseAddr("10.98.0.10")
		h := newHost(cfg)
		l, err := h.able()
		if err != nil || l.name != long {
			return fmt.Errorf("able says %+v, %w", l, err)
		}
		for i, want := range []bool{true, false} {
			if added, err := h.assign(l, time.Now().Add(time.Minute)); err != nil || added != want {
				return fmt.Errorf("assignment %d: added %v, error %w", i, added, err)
			}
		}
		if err := h.remove(l); err != nil {
			return err
		}
		own, err := h.find()
		if len(own) != 0 {
			return fmt.Errorf("still there: %+v", own)
		}
		return err
	})
}

// The address goes in time when Run does nothing anymore.
func TestKernelLifetime(t *testing.T) {
	host, _ := cable(t)
	w := host.watch(t)
	host.do(t, func() error {
		h := newHost(testConfig())
		l, err := h.able()
		if err != nil {
			return err
		}
		_, err = h.assign(l, time.Now().Add(time.Minute))
		return err
	})
	start := w.wait(unix.RTM_NEWADDR, testVIP)
	checkLinger(t, w.wait(unix.RTM_DELADDR, testVIP).Sub(start))
}

// checkLinger allows for a test process that is itself late.
func checkLinger(t *testing.T, took time.Duration) {
	t.Helper()
	if took < 800*time.Millisecond || took > Linger(time.Second)+500*time.Millisecond {
		t.Errorf("the address outlived its last renewal by %v", took)
	}
}

func TestKernelNoAddAfterDeadline(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		h := newHost(testConfig())
		l, err := h.able()
		if err != nil {
			return err
		}
		if _, err := h.assign(l, time.Now()); !errors.Is(err, errPast) {
			return fmt.Errorf("assign says %w", err)
		}
		if err := h.redirect(time.Now()); !errors.Is(err, errPast) {
			return fmt.Errorf("redirect says %w", err)
		}
		if sent, unsent := h.announce(l, time.Now()); sent+unsent != 0 {
			return fmt.Errorf("%d announcements sent, %d refused", sent, unsent)
		}
		return nil
	})
	if a, names := host.addressesOf(t, testVIP), tables(t, host); len(a)+len(names) != 0 {
		t.Errorf("addresses %v, tables %v", a, names)
	}
}

func TestKernelForeignAddress(t *testing.T) {
	for _, prefix := range []string{"10.99.0.10/32", "10.99.0.10/24"} {
		t.Run(prefix, func(t *testing.T) {
			host, _ := cable(t)
			host.do(t, func() error { return addPrefix(hostIf, prefix, func(*netlink.Addr) {}) })
			before := host.addressesOf(t, testVIP)
			host.do(t, func() error {
				h := newHost(testConfig())
				if _, err := h.able(); !errors.Is(err, ErrForeign) {
					return fmt.Errorf("able says %w", err)
				}
				l, err := findLink(hostIf, testVIP)
				if err != nil {
					return err
				}
				if _, err := h.assign(l, time.Now().Add(time.Minute)); !errors.Is(err, ErrForeign) {
					return fmt.Errorf("assign says %w", err)
				}
				return h.remove(l)
			})
			if got := host.addressesOf(t, testVIP); len(got) != 1 || got[0] != before[0] {
				t.Errorf("it was %+v and is %+v", before, got)
			}
		})
	}
}

// An operator's address that appears beside ours ends the holding and stays.
func TestKernelForeignAddressWhileHeld(t *testing.T) {
	k := running(t, testConfig())
	k.hold(time.Minute)
	k.host.do(t, func() error { return addPrefix(hostIf, "10.99.0.10/24", func(*netlink.Addr) {}) })
	w := k.host.watch(t)
	k.Hold(1, time.Now().Add(2*time.Minute))
	w.wait(unix.RTM_DELADDR, testVIP)
	k.withdraw()
	if got := k.host.addressesOf(t, testVIP); len(got) != 1 || got[0].prefix != 24 {
		t.Errorf("left are %+v, want the operator's alone", got)
	}
}

func TestKernelInterface(t *testing.T) {
	host, peer := cable(t)
	try := func(ifname, ip, want string) {
		t.Helper()
		host.do(t, func() error {
			l, err := findLink(ifname, netip.MustParseAddr(ip))
			if err != nil && want != "" && strings.Contains(err.Error(), want) {
				return nil
			}
			if err != nil || l.name != want {
				return fmt.Errorf("findLink(%q, %s) is %+v, %w; want %q", ifname, ip, l, err, want)
			}
			return nil
		})
	}
	set := func(n namespace, name string, change func(netlink.Link) error) {
		t.Helper()
		n.do(t, func() error {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			return change(l)
		})
	}
	try("", "10.99.0.10", hostIf)
	try(hostIf, "192.0.2.1", hostIf)
	try("", "192.0.2.1", "no interface has a connected route")
	try("", "127.0.0.5", "no interface has a connected route")
	try("lo", "10.99.0.10", "lo")
	try("nosuch", "10.99.0.10", "does not exist")
	set(peer, peerIf, netlink.LinkSetDown)
	try("", "10.99.0.10", "no carrier")
	set(host, hostIf, netlink.LinkSetDown)
	try("", "10.99.0.10", "no interface has a connected route")
	try(hostIf, "10.99.0.10", "is down")
}

func TestKernelCleanup(t *testing.T) {
	host, _ := cable(t)
	lookAlikes := []string{"10.99.0.21/32", "10.99.0.22/24", "10.99.0.23/32", "10.99.0.24/32"}
	host.do(t, func() error {
		h := newHost(testConfig())
		l, err := h.able()
		if err != nil {
			return err
		}
		if _, err := h.assign(l, time.Now().Add(time.Minute)); err != nil {
			return err
		}
		label := func(a *netlink.Addr) { a.Label = hostIf + ":kshalb" }
		return errors.Join(
			addPrefix(hostIf, lookAlikes[0], label),
			addPrefix(hostIf, lookAlikes[1], func(a *netlink.Addr) { label(a); a.ValidLft = 3600 }),
			addPrefix(hostIf, lookAlikes[2], func(a *netlink.Addr) { a.ValidLft = 3600 }),
			addPrefix(hostIf, lookAlikes[3], func(a *netlink.Addr) { a.Label = hostIf + ":kshal"; a.ValidLft = 3600 }),
			makeTables("kshalb_old", "kshalb", "notkshalb_old"),
		)
	})
	var log bytes.Buffer
	host.do(t, func() error { return Cleanup(slog.New(slog.NewTextHandler(&log, nil))) })
	if got := host.addressesOf(t, testVIP); len(got) != 0 {
		t.Errorf("ours is left: %+v", got)
	}
	for _, p := range append(lookAlikes, "10.99.0.1/24") {
		if got := host.addressesOf(t, netip.MustParsePrefix(p).Addr()); len(got) != 1 {
			t.Errorf("%s is gone", p)
		}
	}
	if got := fmt.Sprint(tables(t, host)); got != "[kshalb_old kshalb notkshalb_old]" { // the first one is family ip
		t.Errorf("tables left are %s", got)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines logged, want one for the address and one for the table:\n%s", n, log.String())
	}
}

// makeTables makes the named tables in family inet, and the first one in family
// ip, too.
func makeTables(names ...string) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: names[0]})
	for _, n := range names {
		conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: n})
	}
	return conn.Flush()
}

// Each taking announces in two forms that the peer's kernel takes at once.
func TestKernelAnnouncements(t *testing.T) {
	k := running(t, testConfig())
	var conn *packet.Conn
	k.peer.do(t, func() error {
		ifi, err := net.InterfaceByName(peerIf)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(ifi, packet.Raw, int(ethernet.EtherTypeARP), nil)
		return err
	})
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	k.hold(time.Minute)
	hw := k.hardwareAddr()
	for _, want := range []struct {
		op     arp.Operation
		target net.HardwareAddr
	}{{arp.OperationRequest, make(net.HardwareAddr, 6)}, {arp.OperationReply, hw}} {
		frame, p := readARP(t, conn)
		if p.Operation != want.op || p.SenderIP != testVIP || p.TargetIP != testVIP ||
			!bytes.Equal(p.SenderHardwareAddr, hw) || !bytes.Equal(p.TargetHardwareAddr, want.target) {
			t.Errorf("ARP %+v", p)
		}
		if !bytes.Equal(frame.Destination, ethernet.Broadcast) || !bytes.Equal(frame.Source, hw) {
			t.Errorf("frame from %s to %s", frame.Source, frame.Destination)
		}
	}
}

func (k *kernelRig) hardwareAddr() (hw net.HardwareAddr) {
	k.Helper()
	k.host.do(k.T, func() error {
		ifi, err := net.InterfaceByName(hostIf)
		if err == nil {
			hw = ifi.HardwareAddr
		}
		return err
	})
	return hw
}

// readARP returns the next ARP of the VIP.
func readARP(t *testing.T, conn *packet.Conn) (ethernet.Frame, arp.Packet) {
	t.Helper()
	buf := make([]byte, 128)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal("no announcement:", err)
		}
		var f ethernet.Frame
		var p arp.Packet
		if f.UnmarshalBinary(buf[:n]) == nil && p.UnmarshalBinary(f.Payload) == nil && p.SenderIP == testVIP {
			return f, p
		}
	}
}

// Frames that the kernel refuses are counted and end nothing.
func TestKernelAnnouncingOnDeadLink(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		a := arpAnnouncer{vip: testVIP}
		defer a.hangUp()
		l, err := findLink(hostIf, testVIP)
		if err != nil {
			return err
		}
		deadline := time.Now().Add(time.Minute)
		if sent, unsent := a.announce(l, deadline); sent != 2 || unsent != 0 {
			return fmt.Errorf("%d sent, %d refused on a good link", sent, unsent)
		}
		dev, err := netlink.LinkByName(hostIf)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetDown(dev); err != nil {
			return err
		}
		if sent, unsent := a.announce(l, deadline); sent != 0 || unsent != 2 {
			return fmt.Errorf("%d sent, %d refused on a link that is down", sent, unsent)
		}
		if err := netlink.LinkDel(dev); err != nil {
			return err
		}
		if sent, unsent := a.announce(l, deadline); sent != 0 || unsent != 2 {
			return fmt.Errorf("%d sent, %d refused on a link that is gone", sent, unsent)
		}
		return nil
	})
}

// serve answers each connection to addr with word; with IP_FREEBIND, since addr
// need not be there.
func (n namespace) serve(t *testing.T, addr, word string) {
	t.Helper()
	n.do(t, func() error {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			ctlErr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
			return errors.Join(ctlErr, err)
		}}
		l, err := lc.Listen(t.Context(), "tcp", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go greet(l, word)
		return nil
	})
}

func greet(l net.Listener, word string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, word)
		_ = c.Close()
	}
}

// ask returns what answers at addr: its word, or "" when nothing does in time.
func (n namespace) ask(t *testing.T, addr string, within time.Duration) (word string) {
	t.Helper()
	n.do(t, func() error {
		c, err := net.DialTimeout("tcp", addr, within)
		if err != nil {
			return nil
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		word = string(b)
		return err
	})
	return word
}

func TestKernelRedirect(t *testing.T) {
	k := running(t, testConfig())
	k.host.serve(t, "[::]:6443", "apiserver")
	k.host.serve(t, "10.99.0.10:16443", "kshalb")
	hosts := map[string]namespace{"peer": k.peer, "host": k.host}
	for range 2 { // taken, let go and taken again
		stop := k.keep()
		for name, n := range hosts {
			if got := n.ask(t, "10.99.0.10:6443", 5*time.Second); got != "kshalb" {
				t.Errorf("VIP:6443 answers %q to the %s, want kshalb", got, name)
			}
			if got := n.ask(t, "10.99.0.1:6443", 5*time.Second); got != "apiserver" {
				t.Errorf("the host's own 6443 answers %q to the %s", got, name)
			}
		}
		stop()
		k.withdraw()
		for name, n := range hosts {
			if got := n.ask(t, "10.99.0.10:6443", 200*time.Millisecond); got != "" {
				t.Errorf("VIP:6443 still answers %q to the %s", got, name)
			}
		}
	}
}

// Two VIPs have a table each and leave the other's alone.
func TestKernelTwoVIPs(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		one, two := testConfig(), testConfig()
		two.Name, two.Address = "two", netip.MustParseAddr("10.99.0.11")
		a, b := newHost(one), newHost(two)
		until := time.Now().Add(time.Minute)
		if err := errors.Join(a.redirect(until), b.redirect(until), a.unredirect()); err != nil {
			return err
		}
		defer b.unredirect()
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		table, err := conn.ListTableOfFamily("kshalb_two", nftables.TableFamilyINet)
		if err != nil {
			return err
		}
		rules := 0
		for _, chain := range []string{"prerouting", "output"} {
			r, err := conn.GetRules(table, &nftables.Chain{Name: chain})
			if err != nil {
				return err
			}
			rules += len(r)
		}
		if rules != 2 {
			return fmt.Errorf("%d rules, want one for each chain", rules)
		}
		return nil
	})
}

// A table that another socket owns stays, and the error says whose it is.
func TestKernelOwnedTable(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		a, b := newHost(testConfig()), newHost(testConfig())
		until := time.Now().Add(time.Minute)
		if err := a.redirect(until); err != nil {
			return err
		}
		defer a.unredirect()
		for what, err := range map[string]error{"redirect": b.redirect(until), "Cleanup": Cleanup(testLog())} {
			if err == nil || !strings.Contains(err.Error(), "another running kshalb") {
				return fmt.Errorf("%s says %w", what, err)
			}
		}
		return nil
	})
}

// A table that nobody owns, as kernels before 5.12 leave it, is replaced.
func TestKernelLeftTable(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		if err := makeTables("kshalb_test"); err != nil {
			return err
		}
		h := newHost(testConfig())
		if err := h.redirect(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		return h.unredirect()
	})
	if got := tables(t, host); len(got) != 1 { // the one in family ip
		t.Errorf("tables left: %v", got)
	}
}

// child starts a process that holds the VIP in host, and waits until it does.
func child(t *testing.T, host namespace) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	host.do(t, cmd.Start)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for s := bufio.NewScanner(out); ; {
		switch {
		case !s.Scan():
			t.Fatal("the child ended without holding the VIP:", s.Err())
		case strings.Contains(s.Text(), "VIP taken"):
			return cmd
		}
		t.Log(s.Text())
	}
}

func TestKernelKilled(t *testing.T) {
	host, _ := cable(t)
	cmd := child(t, host)
	w := host.watch(t)
	if got := tables(t, host); len(got) != 1 {
		t.Errorf("tables while held: %v", got)
	}
	start := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := tables(t, host); len(got) != 0 {
		t.Errorf("tables left by a killed process: %v", got)
	}
	checkLinger(t, w.wait(unix.RTM_DELADDR, testVIP).Sub(start))
}

// A frozen process loses the address; when it goes on, it lets go by itself and
// takes it anew only because it is told to.
func TestKernelFrozen(t *testing.T) {
	host, _ := cable(t)
	cmd := child(t, host)
	w := host.watch(t)
	start := time.Now()
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	checkLinger(t, w.wait(unix.RTM_DELADDR, testVIP).Sub(start))
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.wait(unix.RTM_NEWADDR, testVIP)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
	if a, names := host.addressesOf(t, testVIP), tables(t, host); len(a)+len(names) != 0 {
		t.Errorf("left by a process that was stopped: addresses %v, tables %v", a, names)
	}
}
