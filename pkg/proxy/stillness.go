package proxy

import "time"

// stillness decides whether something that is looked at now and then has not
// moved for too long.
type stillness struct {
	limit time.Duration
	moved uint64        // as last seen
	since time.Duration // when it was first seen so
	seen  bool
}

// observe takes what has moved until now. It returns when to look again, or
// that nothing has moved for the limit. As a move is dated by the look that saw
// it and looks are a quarter of the limit apart, the end comes between one and
// 1.25 limits after the last move.
func (s *stillness) observe(now time.Duration, moved uint64) (again time.Duration, over bool) {
	if moved != s.moved || !s.seen {
		s.moved, s.since, s.seen = moved, now, true
	}
	left := s.limit - (now - s.since)
	return min(left, max(s.limit/4, time.Millisecond)), left <= 0
}
