package cli

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/status"
)

// metric is the value of a series without labels, as it stands in /metrics.
func (n *node) metric(series string) string {
	n.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get("http://127.0.0.1:9446/metrics")
	must(n.T, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(n.T, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// says runs a command and expects an exit code and all that it writes: on stdout
// when it succeeds, else on stderr.
func (n *node) says(code int, want string, args ...string) {
	n.Helper()
	got, stdout, stderr := n.ask(args...)
	said, silent := stdout, stderr
	if code != 0 {
		said, silent = stderr, stdout
	}
	if got != code || said != want || silent != "" {
		n.Errorf("kshalb %s: exit code %d, stdout %q, stderr %q; want %d %q", strings.Join(args, " "), got, stdout, stderr, code, want)
	}
}

const (
	preferred = "address: 192.168.0.10}"
	prefers   = "address: 192.168.0.10, priorities: {m1: 7}}"
	admins    = "admin: {"
)

// TestReload: a good file is taken, a bad one or an impossible change is told
// and changes nothing, and nothing of this ends the process.
func TestReload(t *testing.T) {
	n := newNode(t)
	p := n.run()
	n.untilSays(p, "kshalb is running")
	n.says(0, "nothing has changed\n", "reload")

	n.write(preferred, prefers, admins, "log: {level: warn}\nadmin: {")
	n.says(0, "vips[0].priorities: {} -> {m1: 7}\nlog.level: \"info\" -> \"warn\"\n", "reload")
	if told := strings.Count(p.Tail(1<<20), "the configuration was reloaded"); told != 1 {
		t.Errorf("said %d times that it reloaded, want once: the second time this is beneath its level", told)
	}

	file := n.write("port: 6443, b", "prot: 6443, b")
	n.says(2, file+":7: listeners[0].prot: unknown key; did you mean port?\n"+
		file+":7: listeners[0].port: is missing; write it as in port: 6443\n", "reload")
	if got := n.metric("kshalb_config_last_reload_successful"); got != "0" {
		t.Errorf("the last reload was refused, and its metric is %q", got)
	}

	n.write(preferred, prefers, admins, "log: {level: warn, format: json}\nadmin: {")
	n.says(1, "kshalb: reload "+file+": log.format cannot change while kshalb runs: restart it\n", "reload")

	must(t, os.Remove(file))
	must(t, p.Signal(syscall.SIGHUP))
	n.untilSays(p, "not reloaded, all stays as it was\" err=\"read config: open "+file+": no such file or directory")

	n.write(preferred, prefers)
	must(t, p.Signal(syscall.SIGHUP))
	n.untilSays(p, `msg="the configuration was reloaded" changes="log.level: \"warn\" -> \"info\""`)
	if got := n.metric("kshalb_config_last_reload_successful"); got != "1" {
		t.Errorf("the last reload was good, and its metric is %q", got)
	}
	n.ends(p, syscall.SIGTERM, orderly)
}

// TestReloadOfAFile: a file that has changed is read without anybody asking; a bad one
// changes nothing, and the status says so until there is a good one.
func TestReloadOfAFile(t *testing.T) {
	n := newNode(t)
	p := n.start(lab.Spec{Path: binary, Args: []string{"run", "--config", n.write(), "--state", n.state()}})
	n.untilSays(p, "kshalb is running")
	n.write("port: 6443, b", "prot: 6443, b")
	n.untilSays(p, "not reloaded, all stays as it was")
	_, out, _ := n.ask("status")
	if !strings.Contains(out, "The configuration file was refused") || !strings.Contains(out, "listeners[0].prot: unknown key") {
		t.Errorf("status says\n%s", out)
	}
	n.write(preferred, prefers)
	n.untilSays(p, `msg="the configuration was reloaded" changes="vips[0].priorities: {} -> {m1: 7}"`)
	if _, out, _ := n.ask("status"); strings.Contains(out, "file was refused") {
		t.Errorf("status says\n%s", out)
	}
	n.ends(p, syscall.SIGTERM, orderly)
}

// TestReloadOfAPort: the private port of a VIP that is held, and its listener itself,
// are others while clients come, and none of these is lost.
func TestReloadOfAPort(t *testing.T) {
	n := newNode(t)
	n.serve()
	p := n.run()
	n.untilHolds(p)
	n.untilSays(p, "backend up")
	var clients []net.Conn
	relays := func(listener, bind string) {
		t.Helper()
		first := int64(-1)
		n.untilStatus(p, listener+" relays from "+bind, func(s status.Node) bool {
			l := s.Listeners[0]
			if l.Name != listener || l.Bind != bind {
				return false
			}
			relayed := int64(l.Backends[0].Connections)
			if first < 0 {
				first = relayed
			}
			c, err := n.DialContext(n.ctx, "tcp", "192.168.0.10:6443")
			must(t, err)
			t.Cleanup(func() { c.Close() })
			clients = append(clients, c)
			return relayed > first
		})
	}
	relays("apiserver", "192.168.0.10:26443")
	n.write("port: 6443, b", "port: 6443, privatePort: 30001, b")
	n.says(0, "listeners[0].privatePort: 0 -> 30001\n", "reload")
	relays("apiserver", "192.168.0.10:30001")
	n.write("port: 6443, b", "port: 6443, privatePort: 30002, b", "name: apiserver, vip", "name: other, vip")
	n.says(0, "listeners[0]: other is new\nlisteners: apiserver is gone\n", "reload")
	n.untilSays(p, "listener=other backend=192.168.0.1:6443 from=unknown to=up")
	relays("other", "192.168.0.10:30002")
	for i, c := range clients {
		must(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) { // the backend says nothing
			t.Errorf("connection %d of %d: %v", i+1, len(clients), err)
		}
	}
	if has, err := n.Has(vip); !has || err != nil {
		t.Errorf("the VIP is not held any more: %v", err)
	}
	n.ends(p, syscall.SIGTERM, orderly)
	n.leftNothing()
}

// TestReloadOfPeers: voters come and go by one, while there is a holder, and the
// backends that follow from them do so at once.
func TestReloadOfPeers(t *testing.T) {
	t.Parallel() // it waits for the end of a silence
	n := newNode(t)
	n.serve()
	p := n.run()
	n.untilSays(p, "kshalb is running")
	const one = "peers: [{name: m1, address: 192.168.0.1}]"
	file := n.write(one, "peers: [{name: m1, address: 192.168.0.1}, {name: w, address: 192.168.0.2, witness: true}]")
	n.says(1, "kshalb: reload "+file+": change the voters: no holder of apiserver has been seen yet under the present voters, [\"m1\"]:"+
		" change all nodes to these, and wait for a holder\n", "reload")

	n.untilHolds(p)
	n.write(one, threePeers)
	n.says(1, "kshalb: reload "+file+": change the voters: voters may change by one at a time, and this adds [\"m2\" \"m3\"] and removes []\n", "reload")
	n.write(one, "peers: [{name: m1, address: 192.168.0.7}]")
	n.says(1, "kshalb: reload "+file+": cluster.peers[0].address cannot change while kshalb runs: restart it\n", "reload")

	n.write(one, "peers: [{name: m1, address: 192.168.0.1}, {name: m2, address: 192.168.0.2}]")
	code, stdout, stderr := n.ask("reload")
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "cluster.peers[1]: m2 is new\n"+
		"note: "+file+":3: cluster.peers: of two voters") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	n.untilStatus(p, "the new peer is a backend", func(s status.Node) bool { return len(s.Listeners[0].Backends) == 2 })
	// One of two is no majority.
	n.untilStatus(p, "it has let go", func(s status.Node) bool { return len(s.Peers) == 2 && s.VIPs[0].State != "holding" })
	n.ends(p, syscall.SIGTERM, orderly)
}

func TestReloadOfNobody(t *testing.T) {
	n := newNode(t)
	_, _, stderr := n.ask("reload")
	if want := "kshalb: ask " + n.socket() + ": no such file or directory (is kshalb running, and are you root?)\n"; stderr != want {
		t.Errorf("got %q, want %q", stderr, want)
	}
}
