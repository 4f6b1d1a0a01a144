package vip

// window remembers the numbers that were used, so that none is used twice: the
// highest and, in bits, those below it. What is too old to remember counts as
// used (an anti-replay window, RFC 4303, section 3.4.3). The zero window has used
// none.
type window struct {
	top  uint64
	bits uint64 // bit i: top-i was used
}

// add uses n and reports whether it was unused.
func (w *window) add(n uint64) bool {
	if n > w.top {
		w.bits <<= min(n-w.top, 64) // 64 and more leave 0
		w.top = n
	} else if w.top-n >= 64 || w.has(n) {
		return false
	}
	w.bits |= 1 << (w.top - n)
	return true
}

// has reports whether n was used and is remembered.
func (w *window) has(n uint64) bool {
	return n <= w.top && w.top-n < 64 && w.bits>>(w.top-n)&1 == 1
}
