package proxy

import (
	"math"
	"sync/atomic"
	"time"
)

// bucket is a token bucket in one word, by the generic cell rate algorithm (ITU-T
// I.371, annex A): the time at which it would be full again. The zero value is full.
type bucket struct{ full atomic.Int64 }

// take takes one of the tokens, of which there are so many, and as many new ones a
// second, if at least leaves are left then.
func (b *bucket) take(now time.Duration, perSecond, leaves int) bool {
	each := int64(time.Second) / int64(perSecond)
	most := int64(now) + int64(time.Second) - int64(leaves)*each
	for {
		was := b.full.Load()
		next := max(was, int64(now)) + each
		if next > most {
			return false
		}
		if b.full.CompareAndSwap(was, next) {
			return true
		}
	}
}

// usage is how often one came lately, in one word: when it was counted, in
// milliseconds, and how much it was then, as a float32. It fades to 1/e in a second,
// and so that of a steady one is how often it comes a second.
type usage struct{ word atomic.Uint64 }

// at is the usage as of now. The milliseconds wrap after 49 days: what was forgotten
// then is there again, and fades again.
func (u *usage) at(now time.Duration) float32 { return faded(u.word.Load(), now) }

func (u *usage) add(now time.Duration) {
	for {
		was := u.word.Load()
		next := uint64(millis(now))<<32 | uint64(math.Float32bits(faded(was, now)+1))
		if u.word.CompareAndSwap(was, next) {
			return
		}
	}
}

func faded(word uint64, now time.Duration) float32 {
	n, age := math.Float32frombits(uint32(word)), millis(now)-uint32(word>>32)
	const behind = 1000 // loops don't read the clock in the order in which they count
	if n == 0 || age == 0 || age > math.MaxUint32-behind {
		return n
	}
	return n * float32(math.Exp(-float64(age)/1000))
}

func millis(t time.Duration) uint32 { return uint32(t / time.Millisecond) }
