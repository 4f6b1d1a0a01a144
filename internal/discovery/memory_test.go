package discovery

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kshalb/kshalb/internal/state"
)

var byValue = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func inFolder(t *testing.T, folder string) (*Memory, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	return NewMemory(state.Folder(folder), slog.New(slog.NewTextHandler(log, nil))), log
}

func TestMemory(t *testing.T) {
	folder := t.TempDir()
	m, log := inFolder(t, folder)
	if got := m.Load(); len(got) > 0 || got == nil {
		t.Errorf("without a file: %v", got)
	}
	lists := Lists{"api.example": addrs("192.0.2.2", "2001:db8::1", "192.0.2.1", "0.0.0.0"), "empty": nil, PeersOf("apiserver"): addrs("192.0.2.3")}
	if err := m.Save(lists); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "backends.json")
	data, err := os.ReadFile(path)
	if want := `{"api.example":["192.0.2.1","192.0.2.2","2001:db8::1"],"peers of apiserver":["192.0.2.3"]}` + "\n"; err != nil || string(data) != want {
		t.Errorf("the file is %q, %v, want %q", data, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again, _ := inFolder(t, folder)
	want := Lists{"api.example": addrs("192.0.2.1", "192.0.2.2", "2001:db8::1"), "peers of apiserver": addrs("192.0.2.3")}
	if diff := cmp.Diff(want, again.Load(), byValue); diff != "" {
		t.Error(diff)
	}
	if left, err := os.ReadDir(folder); len(left) != 1 || err != nil || log.Len() > 0 {
		t.Errorf("left: %v, %v, said: %s", left, err, log)
	}
}

// What is on disk already is not written again, also when it was only loaded.
func TestMemoryIsWrittenWhenItChanges(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "backends.json")
	lists := Lists{"a": addrs("192.0.2.1", "192.0.2.2")}
	m, _ := inFolder(t, folder)
	write := func(m *Memory, lists Lists) bool {
		t.Helper()
		old := time.Unix(1, 0)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		if err := m.Save(lists); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return !info.ModTime().Equal(old)
	}
	if err := m.Save(lists); err != nil {
		t.Fatal(err)
	}
	if write(m, Lists{"a": addrs("192.0.2.2", "192.0.2.1"), "b": nil}) {
		t.Error("the same was written again")
	}
	loaded, _ := inFolder(t, folder)
	loaded.Load()["a"] = nil // its caller's
	if write(loaded, lists) {
		t.Error("what was loaded was written again")
	}
	if !write(m, Lists{"a": addrs("192.0.2.1")}) {
		t.Error("a change was not written")
	}
	if got := m.Load()["a"]; len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestDamagedMemory(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"cut off":      `{"a":["192.0.2.1"`,
		"zeros":        strings.Repeat("\x00", 64),
		"another type": `["192.0.2.1"]`,
		"no address":   `{"a":["host"]}`,
		"two objects":  `{}{}`,
		"too large":    `{}` + strings.Repeat(" ", maxMemory),
	} {
		t.Run(name, func(t *testing.T) {
			m, log := inFolder(t, t.TempDir())
			path := filepath.Join(string(m.folder), "backends.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := m.Load(); len(got) > 0 || strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), path) {
				t.Errorf("got %v, said %s", got, log)
			}
			if err := m.Save(Lists{}); err != nil { // nothing is known of the file
				t.Fatal(err)
			}
			if data, err := os.ReadFile(path); string(data) != "{}\n" || err != nil {
				t.Errorf("the file is %q, %v", data, err)
			}
		})
	}
}

func TestMemoryThatCannotBeUsed(t *testing.T) {
	off, log := inFolder(t, "")
	if err := off.Save(Lists{"a": addrs("192.0.2.1")}); err != nil || len(off.Load()) > 0 || log.Len() > 0 {
		t.Errorf("without a folder: %v", err)
	}
	folder := filepath.Join(t.TempDir(), "missing")
	m, _ := inFolder(t, folder)
	lists := Lists{"a": addrs("192.0.2.1")}
	if err := m.Save(lists); err == nil || !strings.Contains(err.Error(), "remember the backends in "+folder) {
		t.Errorf("got %v", err)
	}
	if err := m.folder.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(lists); err != nil || len(m.Load()) != 1 {
		t.Errorf("it is not tried again: %v", err)
	}
	large := Lists{strings.Repeat("x", maxMemory): lists["a"]}
	if err := m.Save(large); err == nil || len(m.Load()) != 1 {
		t.Errorf("too much was saved: %v", err)
	}
}
