package proxy

import (
	"testing"
	"unsafe"
)

func TestConnIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 256 {
		t.Errorf("a connection takes %d bytes", n)
	}
}

// TestSlabForgets: an event of a connection that has gone finds nobody, not
// even whoever has its place now.
func TestSlabForgets(t *testing.T) {
	s := newSlab()
	c := s.add()
	c.phase = relaying
	id, generation := c.timer.id, c.generation
	if s.find(id, generation) != c {
		t.Fatal("a connection that lives is not found")
	}
	s.remove(c)
	if s.find(id, generation) != nil {
		t.Error("one that has gone is found")
	}
	again := s.add()
	again.phase = relaying
	if again != c {
		t.Error("the place is not used again")
	}
	if s.find(id, generation) != nil {
		t.Error("its successor is taken for it")
	}
}

func TestSlabGrows(t *testing.T) {
	const n = 3*chunk + 1
	s := newSlab()
	seen := map[*conn]bool{}
	for range n {
		c := s.add()
		c.phase = connecting
		if seen[c] || s.at(c.timer.id) != c {
			t.Fatalf("place %d is given twice or is not found", c.timer.id)
		}
		seen[c] = true
	}
	if s.live != n {
		t.Errorf("%d live, want %d", s.live, n)
	}
	s.each(s.remove)
	if s.live != 0 {
		t.Errorf("%d live after all were removed", s.live)
	}
	if a := testing.AllocsPerRun(100, func() { s.remove(s.add()) }); a != 0 {
		t.Errorf("%v allocations for a place that was used before", a)
	}
}
