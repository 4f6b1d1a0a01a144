package proxy

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func testPipes() (*pipes, *budget) {
	b := &budget{}
	b.give(pipeBudget)
	return &pipes{transport: &linux{}, budget: b}, b
}

// TestPipesGetSmaller: the more of the budget is lent, the smaller the pipes,
// and in the end there is none.
func TestPipesGetSmaller(t *testing.T) {
	p, b := testPipes()
	var lent []*pipe
	count := map[int32]int{}
	for {
		got := p.get(0)
		if got == nil {
			break
		}
		if n := len(lent); n > 0 && got.size > lent[n-1].size {
			t.Errorf("pipe %d has %d bytes, the one before %d", n, got.size, lent[n-1].size)
		}
		if n, err := unix.FcntlInt(uintptr(got.r), unix.F_GETPIPE_SZ, 0); err != nil || n < int(got.size) {
			t.Fatalf("the kernel says %d bytes (%v), want %d", n, err, got.size)
		}
		lent = append(lent, got)
		count[got.size]++
	}
	// The kernel may allow fewer, as it counts all pipes of the user.
	if len(lent) == 0 || len(lent) > 32+64+256 {
		t.Errorf("pipes %v", count)
	}
	if p.get(noPipeFor-1) != nil {
		t.Error("a pipe so soon after none was to be had")
	}
	for _, one := range lent {
		p.drop(one)
	}
	if left := b.left.Load(); left != pipeBudget {
		t.Errorf("%d bytes of the budget are lost", pipeBudget-left)
	}
	if one := p.get(noPipeFor); one == nil {
		t.Error("no pipe although all were given back")
	} else {
		p.drop(one)
	}
}

// TestPipesTrim: a pipe that was needed between two trims is kept, one that was
// not is closed.
func TestPipesTrim(t *testing.T) {
	p, b := testPipes()
	x, y := p.get(0), p.get(0)
	if x == nil || y == nil {
		t.Skip("the kernel gives no two pipes: fs.pipe-user-pages-soft is used up")
	}
	p.put(x)
	p.put(y)
	if p.trim(); len(p.spare) != 2 {
		t.Fatalf("%d spare pipes right after they were used, want 2", len(p.spare))
	}
	p.put(p.get(time.Second))
	if more := p.trim(); !more || len(p.spare) != 1 {
		t.Errorf("%d spare pipes, want the one that was used", len(p.spare))
	}
	if more := p.trim(); more || len(p.spare) != 0 {
		t.Errorf("%d spare pipes after the last was not needed", len(p.spare))
	}
	if left := b.left.Load(); left != pipeBudget {
		t.Errorf("%d bytes of the budget are lost", pipeBudget-left)
	}
}
