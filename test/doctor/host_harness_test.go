package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/doctor"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// limit is what one step may take on a busy machine.
const limit = 60 * time.Second

// hostTopics are those that are tested here.
var hostTopics = []string{"sysctls", "names", "leftovers", "limits", "kubelet", "kube-proxy", "apiserver", "etcd", "voters", "interface"}

// playHost is what this program does as a process of a host.
func playHost(role string) error {
	switch role {
	case "look":
		return playLook(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	case "idle":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		<-ctx.Done()
		return nil
	case "listen":
		ln, err := net.Listen("tcp", os.Args[1])
		if err != nil {
			return err
		}
		defer ln.Close()
		return accept(ln)
	}
	return fmt.Errorf("no role %q", role)
}

func accept(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, "here\n"); err != nil {
			return err
		}
		c.Close()
	}
}

// playLook writes what a host is seen like from its network.
func playLook(file, node, root, out string) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	few(cfg)
	l := doctor.Looker{Config: cfg, Node: node, Root: root,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return nil, errors.New("there is no DNS in a lab")
		}}
	text, err := json.Marshal(l.Look(context.Background()))
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o600)
}

// few has the listeners need no more files than any machine has.
func few(cfg *config.Config) {
	for i := range cfg.Listeners {
		cfg.Listeners[i].Limits.Connections = 50
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ward is three masters under examination. What is in /etc and /var of each is
// planted, and nothing of the machine's own.
type ward struct {
	*testing.T
	*cluster.Cluster
}

func newWard(t *testing.T, o cluster.Options) *ward {
	t.Helper()
	c, err := cluster.NewWith(labtest.New(t), binary, o)
	must(t, err)
	w := &ward{t, c}
	for _, m := range c.Masters {
		root := w.root(m.Host)
		must(t, os.Mkdir(root, 0o700))
		for _, folder := range []string{"/proc", "/sys"} {
			must(t, os.Symlink(folder, root+folder))
		}
	}
	return w
}

// root stands for the root folder of a host.
func (w *ward) root(h *lab.Host) string { return filepath.Join(h.Dir(), "root") }

// plant writes a file of a host.
func (w *ward) plant(h *lab.Host, file, text string) {
	w.Helper()
	file = w.root(h) + file
	must(w.T, os.MkdirAll(filepath.Dir(file), 0o700))
	must(w.T, os.WriteFile(file, []byte(text), 0o600))
}

// start starts this program on a host under a name and in a role.
func (w *ward) start(h *lab.Host, name, role string, args ...string) *lab.Process {
	w.Helper()
	self, err := os.Executable()
	must(w.T, err)
	program := filepath.Join(h.Dir(), name)
	if err := os.Symlink(self, program); err != nil && !errors.Is(err, os.ErrExist) {
		w.Fatal(err)
	}
	p, err := h.Start(lab.Spec{Name: name, Path: program, Args: args, Env: []string{roleMark + "=" + role}})
	must(w.T, err)
	return p
}

// look is what the doctor sees on each master, at the same time.
func (w *ward) look() map[string]doctor.View {
	w.Helper()
	ctx := labtest.Context(w.T, limit)
	looking := make(map[string]*lab.Process)
	out := func(m *cluster.Master) string { return filepath.Join(m.Dir(), "view.json") }
	for _, m := range w.Masters {
		looking[m.Name()] = w.start(m.Host, "looks", "look", m.ConfigFile(), m.Name(), w.root(m.Host), out(m))
	}
	views := make(map[string]doctor.View)
	for _, m := range w.Masters {
		p := looking[m.Name()]
		must(w.T, p.Wait(ctx))
		if !p.State().Success() {
			w.Fatalf("%s: %v: %s", p.Name(), p.State(), p.Tail(1000))
		}
		text, err := os.ReadFile(out(m))
		must(w.T, err)
		var v doctor.View
		must(w.T, json.Unmarshal(text, &v))
		views[m.Name()] = v
	}
	return views
}

// judge is what the doctor finds on all masters, of the topics of hosts.
func (w *ward) judge() []doctor.Finding {
	w.Helper()
	return w.judgeOf(hostTopics...)
}

// judgeOf is what the doctor finds on all masters, of some topics.
func (w *ward) judgeOf(topics ...string) (found []doctor.Finding) {
	w.Helper()
	cfg, err := config.Load(w.Masters[0].ConfigFile())
	must(w.T, err)
	few(cfg)
	for _, f := range doctor.Judge(doctor.Case{Config: cfg, Self: w.Masters[0].Name(), Views: w.look()}) {
		if slices.Contains(topics, f.Topic) {
			found = append(found, f)
		}
	}
	return found
}

// expect holds all that is not fine against what is wanted: each is
// "LEVEL TOPIC NODE: a part of what was seen".
func (w *ward) expect(found []doctor.Finding, want ...string) {
	w.Helper()
	for _, f := range found {
		if f.Level == doctor.Fine {
			continue
		}
		head := fmt.Sprintf("%s %s %s", f.Level, f.Topic, f.Node)
		i := slices.IndexFunc(want, func(wanted string) bool {
			h, saw, _ := strings.Cut(wanted, ": ")
			return h == head && strings.Contains(f.Saw, saw)
		})
		if i < 0 {
			w.Errorf("not expected: %s: %s", head, f.Saw)
			continue
		}
		want = slices.Delete(slices.Clone(want), i, i+1)
	}
	for _, missed := range want {
		w.Errorf("not found: %s", missed)
	}
}
