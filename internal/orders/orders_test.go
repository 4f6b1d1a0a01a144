package orders

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/state"
)

var (
	backend = netip.MustParseAddrPort("192.168.0.1:6443")
	noon    = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T, dir string) *Book {
	t.Helper()
	b, err := Open(state.Folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

//go:fix inline
func number(n int) *int { return new(n) }

// TestGive gives one order after the other, and looks at each as it is and as it is
// after a restart.
func TestGive(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct {
		action Action
		weight *int
		want   string // what holds then; an error begins with "!"
	}{
		{Undrain, nil, "!there is no such order"},
		{Weight, nil, "!there is no such order"},
		{Drain, nil, "drained"},
		{Weight, new(0), "drained, weight 0"},
		{Weight, new(256), "drained, weight 256"},
		{Weight, new(257), "!weight 257 is out of range: give one from 0 to 256"},
		{Maintenance, nil, "in maintenance, weight 256"},
		{Undrain, nil, "weight 256"},
		{"destroy", nil, `!there is no action "destroy": choose drain, undrain, maintenance or weight`},
		{Weight, nil, ""},
	} {
		b := open(t, dir)
		o, err := b.Give(step.action, Order{Listener: "a", Backend: backend, Weight: step.weight, Who: "root@m1", Why: "a new\nkernel\x1b"}, noon)
		got := o.String()
		if err != nil {
			got = "!" + err.Error()
		}
		if got != step.want {
			t.Errorf("%s gives %q, want %q", step.action, got, step.want)
		}
		if err == nil && (o.Who != "root@m1" || o.Why != "a new kernel" || !o.Since.Equal(noon)) {
			t.Errorf("%s: by %q since %s because %q", step.action, o.Who, o.Since, o.Why)
		}
		after, _ := open(t, dir).For("a", backend)
		now, _ := b.For("a", backend)
		if after.String() != now.String() || after.Why != now.Why || !after.Since.Equal(now.Since) {
			t.Errorf("after %s and a restart: %v, before: %v", step.action, after, now)
		}
	}
	if n := len(open(t, dir).List()); n != 0 {
		t.Errorf("%d orders are left", n)
	}
}

// TestFor: the order for one listener comes before the one for all.
func TestFor(t *testing.T) {
	b := open(t, "")
	for listener, action := range map[string]Action{"": Drain, "a": Maintenance} {
		if _, err := b.Give(action, Order{Listener: listener, Backend: backend}, noon); err != nil {
			t.Fatal(err)
		}
	}
	for listener, want := range map[string]string{"a": "in maintenance", "b": "drained"} {
		if o, is := b.For(listener, backend); !is || o.String() != want {
			t.Errorf("%s: %v, want %s", listener, o, want)
		}
	}
	if _, is := b.For("a", netip.MustParseAddrPort("192.168.0.2:6443")); is {
		t.Error("there is an order for another backend")
	}
	if b.Kept() || !open(t, t.TempDir()).Kept() {
		t.Error("orders are kept where there is no folder, or not where there is one")
	}
}

func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte(`[{"backend": "192.168.0.1:6443", "drain`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(state.Folder(dir)); err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("a damaged file gives %v", err)
	}
}

// TestUnwritable: an order that would be forgotten is not given.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &Book{}
	b.file.folder = state.Folder(file)
	if _, err := b.Give(Drain, Order{Backend: backend}, noon); err == nil || len(b.List()) > 0 {
		t.Errorf("given without a folder: %v, %v", err, b.List())
	}
	if _, err := open(t, dir).Give(Undrain, Order{Backend: backend}, noon); !errors.Is(err, ErrNoOrder) {
		t.Errorf("an undo of nothing: %v", err)
	}
}
