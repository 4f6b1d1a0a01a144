package machine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParseParent(t *testing.T) {
	for stat, want := range map[string]int{
		"12 (nginx) S 7 12 12 0":         7,
		"12 (a) b) (c) R 31 12 12 0 -1 ": 31,
	} {
		if got, err := parseParent([]byte(stat)); err != nil || got != want {
			t.Errorf("%q: %d, %v", stat, got, err)
		}
	}
	for _, stat := range []string{"", "12 nginx S 7", "12 (nginx) S", "12 (nginx) S x 1"} {
		if got, err := parseParent([]byte(stat)); err == nil {
			t.Errorf("%q: %d", stat, got)
		}
	}
}

func TestProcessor(t *testing.T) {
	if got := processor("processor\t: 0\nmodel name\t: Fast (R) 5\n"); got != "Fast (R) 5" {
		t.Errorf("%q", got)
	}
	if got := processor("processor\t: 0\n"); got != "unnamed" {
		t.Errorf("%q", got)
	}
}

func TestFamily(t *testing.T) {
	if all, err := Family(os.Getpid()); err != nil || all[0] != os.Getpid() {
		t.Errorf("%v, %v", all, err)
	}
}

func TestTurns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	a, err := NewTurns(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewTurns(file)
	if err != nil {
		t.Fatal(err)
	}
	done, err := a.Take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		done, err := b.Take(t.Context())
		if err == nil {
			done()
		}
		got <- err
	}()
	done()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
