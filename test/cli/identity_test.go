package cli

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/nftables"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/status"
)

// TestProxyProtocol: connections and probes of such a listener begin with the header.
func TestProxyProtocol(t *testing.T) {
	n := newNode(t)
	ln, err := n.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				text, _ := io.ReadAll(c)
				line, _, _ := strings.Cut(string(text), "\r\n")
				lines <- line
			}(c)
		}
	}()
	p := n.run("vip: apiserver, port: 6443, backends: {peers: true, port: 6443}",
		"bind: 127.0.0.1, port: 7443, proxyProtocol: v1, backends: {addresses: [127.0.0.1:6443]}",
		"vips: [{name: apiserver, address: 192.168.0.10}]\n", "")
	n.untilStatus(p, "the backend is up", func(s status.Node) bool { return s.Listeners[0].Backends[0].State == "up" })
	if line := <-lines; line != "PROXY UNKNOWN" {
		t.Errorf("a probe began with %q", line)
	}
	c, err := n.DialContext(n.ctx, "tcp", "127.0.0.1:7443")
	must(t, err)
	want := fmt.Sprintf("PROXY TCP4 127.0.0.1 127.0.0.1 %d 7443", c.LocalAddr().(*net.TCPAddr).Port)
	must(t, c.Close())
	for line := range lines {
		if line != "PROXY UNKNOWN" {
			if line != want {
				t.Errorf("a connection began with %q, want %q", line, want)
			}
			break
		}
	}
	n.ends(p, syscall.SIGTERM, orderly)
}

// TestClientsAddress: what keeps backends' answers to clients here is there while
// such a listener is, is replaced after a kill, and goes with kshalb.
func TestClientsAddress(t *testing.T) {
	n := newNode(t)
	changes := []string{
		"vip: apiserver, port: 6443, backends: {peers: true, port: 6443}",
		"bind: 192.168.0.1, port: 7443, source: client, backends: {addresses: [192.168.0.7:6443]}",
		"vips: [{name: apiserver, address: 192.168.0.10}]\n", "",
	}
	for i, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		p := n.run(changes...)
		n.until(p, "it runs", func() bool { return strings.Count(p.Tail(1<<20), "kshalb is running") > i })
		must(t, n.Do(func() error {
			c, err := nftables.New()
			if err != nil {
				return err
			}
			tables, err := c.ListTables()
			if len(tables) != 1 || tables[0].Name != "kshalb-answers" {
				t.Errorf("%d tables, want kshalb-answers alone", len(tables))
			}
			return err
		}))
		if end == syscall.SIGKILL {
			must(t, p.Kill())
			continue
		}
		n.ends(p, end, orderly)
	}
	n.leftNothing()
	n.write(append(changes, "192.168.0.7:6443", "192.168.0.1:6443")...)
	p := n.start(lab.Spec{Path: binary, Args: n.args(append(changes, "192.168.0.7:6443", "192.168.0.1:6443")...)})
	must(t, p.Wait(n.ctx))
	if text := p.Tail(4000); !strings.Contains(text, "it is this host itself") {
		t.Errorf("a backend that is this host: %s", text)
	}
	n.leftNothing()
}
