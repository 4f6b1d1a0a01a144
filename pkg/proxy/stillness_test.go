package proxy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestStillness: nothing is ended before the limit has passed without a move,
// and all is ended soon after it.
func TestStillness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.Int64Range(int64(10*time.Millisecond), int64(time.Hour)).Draw(t, "limit"))
		s := stillness{limit: limit}
		start := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		now, last, n := start, start, uint64(1)
		quietAfter := time.Duration(rapid.Int64Range(0, int64(5*limit)).Draw(t, "quiet after"))
		for {
			again, over := s.observe(now, n)
			if over {
				break
			}
			if again <= 0 {
				t.Fatalf("look again in %s", again)
			}
			// A move at some moment before the next look.
			if at := now + again/2; at-start < quietAfter && rapid.Bool().Draw(t, "move") {
				last = at
				n++
			}
			now += again
		}
		silent := now - last
		if silent < limit || silent > limit+limit/4+time.Millisecond {
			t.Fatalf("ended after %s of silence, limit %s", silent, limit)
		}
	})
}

func TestKeepalive(t *testing.T) {
	for user, want := range map[time.Duration]keepalive{
		0:                {30 * time.Second, 10 * time.Second, 3},
		time.Hour:        {30 * time.Second, 10 * time.Second, 3},
		15 * time.Second: {5 * time.Second, 5 * time.Second, 3},
		5 * time.Second:  {time.Second, time.Second, 3},
		time.Millisecond: {time.Second, time.Second, 3},
	} {
		if got := keepaliveFor(user); got != want {
			t.Errorf("user %s: %+v, want %+v", user, got, want)
		}
	}
}
