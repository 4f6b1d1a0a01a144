package vip

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// tables returns the names of the host's nftables tables, but for fences.
func tables(t *testing.T, n namespace) (names []string) {
	t.Helper()
	for _, name := range allTables(t, n) {
		if !strings.HasPrefix(name, FencePrefix) {
			names = append(names, name)
		}
	}
	return names
}

func allTables(t *testing.T, n namespace) (names []string) {
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

// Redirects change from one packet to the next: nobody gets to the port itself.
func TestKernelRedirectAnew(t *testing.T) {
	k := running(t, testConfig())
	k.host.serve(t, "10.99.0.10:16443", "one")
	k.host.serve(t, "10.99.0.10:16444", "other")
	defer k.keep()()
	heard := map[string]int{}
	for i := range uint16(200) {
		if err := k.SetRedirects([]Redirect{{6443, 16443 + i%2}}); err != nil {
			t.Fatal(err)
		}
		heard[k.peer.ask(t, "10.99.0.10:6443", 10*time.Second)]++
	}
	if heard["one"]+heard["other"] != 200 || len(heard) != 2 {
		t.Errorf("heard %v", heard)
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

// A table that another socket owns stays, and so does the address beside it; the
// error says whose they are.
func TestKernelOwnedTable(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		a, b := newHost(testConfig()), newHost(testConfig())
		until := time.Now().Add(time.Minute)
		if err := a.redirect(until); err != nil {
			return err
		}
		defer a.unredirect()
		l, err := a.able()
		if err != nil {
			return err
		}
		if _, err := a.assign(l, until); err != nil {
			return err
		}
		defer a.remove()
		for what, err := range map[string]error{"redirect": b.redirect(until), "Cleanup": Cleanup(testLog())} {
			if err == nil || !strings.Contains(err.Error(), "another running kshalb") {
				return fmt.Errorf("%s says %w", what, err)
			}
		}
		if own, err := a.find(); err != nil || len(own) != 1 {
			return fmt.Errorf("%d addresses of ours are left, want 1: %w", len(own), err)
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
