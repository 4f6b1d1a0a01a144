package proxy

import (
	"sync/atomic"
	"time"
)

const (
	// pipeBudget is how much all pipes may hold together. It is
	// what the kernel lets a user without CAP_SYS_RESOURCE have in all
	// (fs.pipe-user-pages-soft, 16384 pages; pipe(7)).
	pipeBudget = 64 << 20
	// spareFor is how long a pipe that nobody needs is kept.
	spareFor = 250 * time.Millisecond
	// noPipeFor is how long none is asked for after the kernel has refused one.
	noPipeFor = 100 * time.Millisecond
)

// pipeSizes are tried in turn, each if it leaves so much of the budget to the
// smaller ones: some readers that stop shall not hold it all. A third of the
// rate is lost with the last size; with less, copying is as good.
var pipeSizes = [...]struct{ size, leaves int32 }{
	{1 << 20, pipeBudget / 2},
	{256 << 10, pipeBudget / 4},
	{64 << 10, 0},
}

// pipe is where spliced bytes are on their way from one socket to the other.
type pipe struct {
	r, w int32
	size int32
}

// budget is what is left for the pipes of all loops.
type budget struct{ left atomic.Int64 }

// take takes n bytes, if at least leaves are left then.
func (b *budget) take(n, leaves int32) bool {
	if b.left.Add(-int64(n)) >= int64(leaves) {
		return true
	}
	b.give(n)
	return false
}

func (b *budget) give(n int32) { b.left.Add(int64(n)) }

// pipes are a loop's spare pipes, all of them empty.
type pipes struct {
	transport transport
	budget    *budget
	spare     []*pipe
	unused    int           // so many were spare all the time since the last trim
	not       time.Duration // none is asked for before
}

// get returns an empty pipe, nil when none is to be had now.
func (p *pipes) get(now time.Duration) *pipe {
	if n := len(p.spare); n > 0 {
		got := p.spare[n-1]
		p.spare = p.spare[:n-1]
		p.unused = min(p.unused, n-1)
		return got
	}
	if now < p.not {
		return nil
	}
	for _, s := range pipeSizes {
		if !p.budget.take(s.size, s.leaves) {
			continue
		}
		if got := p.transport.pipe(s.size); got != nil {
			return got
		}
		p.budget.give(s.size)
	}
	p.not = now + noPipeFor
	return nil
}

// put takes an empty pipe back.
func (p *pipes) put(empty *pipe) { p.spare = append(p.spare, empty) }

// drop closes a pipe, with what it holds.
func (p *pipes) drop(old *pipe) {
	p.transport.close(old.r)
	p.transport.close(old.w)
	p.budget.give(old.size)
}

// trim closes the pipes that were not needed since the last call, and returns
// whether some are left to be looked at again.
func (p *pipes) trim() bool {
	for range p.unused {
		n := len(p.spare) - 1
		p.drop(p.spare[n])
		p.spare = p.spare[:n]
	}
	p.unused = len(p.spare)
	return p.unused > 0
}
