package orders

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/state"
)

func TestDamaged(t *testing.T) {
	const one = `{"backend": "192.168.0.1:6443", "drain": true, "who": "", "since": "2026-01-02T12:00:00Z"}`
	for name, test := range map[string]struct {
		text string
		bad  bool
	}{
		"none":           {"[]", false},
		"one":            {"[" + one + "]", false},
		"empty":          {"", true},
		"cut off":        {`[{"backend": "192.168.0.1:6443", "drain`, true},
		"null":           {"null", true},
		"no list":        {one, true},
		"two lists":      {"[][]", true},
		"zeros":          {strings.Repeat("\x00", 64), true},
		"an unknown key": {`[{"backend": "192.168.0.1:6443", "drain": true, "more": 1}]`, true},
		"says nothing":   {`[{"backend": "192.168.0.1:6443"}]`, true},
		"no backend":     {`[{"drain": true}]`, true},
		"too heavy":      {`[{"backend": "192.168.0.1:6443", "weight": 257}]`, true},
		"twice":          {"[" + one + "," + one + "]", true},
		"too many":       {"[" + strings.Repeat(one+",", maxOrders) + one + "]", true},
		"too large":      {"[]" + strings.Repeat(" ", maxFile), true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, fileName), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(state.Folder(dir))
			if bad := err != nil; bad != test.bad {
				t.Fatalf("got %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), fileName+" is damaged (") || !strings.Contains(err.Error(), "delete it, start kshalb") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v", err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, fileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(state.Folder(dir)); err == nil || !strings.HasPrefix(err.Error(), "read the orders about backends: ") {
		t.Errorf("a folder of that name gives %v", err)
	}
}

// TestUnwritable: an order that would be forgotten holds, and that is told until it
// can be written.
func TestUnwritable(t *testing.T) {
	way := filepath.Join(t.TempDir(), "way")
	if err := os.WriteFile(way, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &Book{file: file{state.Folder(way)}}
	if o, err := b.Give(Drain, Order{Backend: backend}, noon); err != nil || o.String() != "drained" {
		t.Fatalf("%v, %v", o, err)
	}
	if err := b.Kept(); err == nil || !strings.HasPrefix(err.Error(), "write the orders about backends: ") {
		t.Errorf("kept: %v", err)
	}
	if _, is := b.For("a", backend); !is {
		t.Error("the order does not hold")
	}
	if err := os.Remove(way); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Give(Weight, Order{Backend: backend, Weight: new(5)}, noon); err != nil || b.Kept() != nil {
		t.Errorf("with a folder: %v, %v", err, b.Kept())
	}
	if o, _ := open(t, way).For("a", backend); o.String() != "drained, weight 5" {
		t.Errorf("after a restart: %s", o)
	}
}

func TestNoFolder(t *testing.T) {
	if b := open(t, ""); b.Kept() == nil || !strings.Contains(b.Kept().Error(), "there is no state folder") {
		t.Errorf("kept: %v", b.Kept())
	}
	if b := open(t, filepath.Join(t.TempDir(), "not", "yet")); b.Kept() != nil {
		t.Errorf("kept: %v", b.Kept())
	}
}
