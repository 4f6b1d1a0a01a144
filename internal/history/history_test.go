package history

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		h := New(func() []status.Listener {
			seconds := uint64(time.Since(begun).Seconds())
			a := status.Backend{Address: "a", Connections: 10 * seconds, BytesIn: 100 * seconds, BytesOut: 1000 * seconds, Probe: 0.002}
			b := status.Backend{Address: "b", Connections: seconds, Probe: 0.004}
			if seconds >= 30 { // it was removed and came back
				b.Connections = seconds - 30
			}
			return []status.Listener{{Name: "api", Active: int64(seconds), Backends: []status.Backend{a, b}}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		time.Sleep(20*time.Second + time.Millisecond)
		synctest.Wait()
		got := h.Listeners()["api"]
		if len(got) != 4 {
			t.Fatalf("%d points after 20 s", len(got))
		}
		want := Point{At: got[3].At, Active: 20, New: 11, In: 100, Out: 1000, Probe: 0.004}
		if got[3] != want || !got[3].At.After(got[2].At) {
			t.Errorf("got %+v, want %+v", got[3], want)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := h.Listeners()["api"][5].New; got != 10 { // of b, which began anew, nothing yet
			t.Errorf("%v a second when a counter begins anew", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := len(h.Listeners()["api"]); got != Points {
			t.Errorf("%d points after an hour, want %d", got, Points)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestListenerGoes: what is gone is forgotten.
func TestListenerGoes(t *testing.T) {
	all := []status.Listener{{Name: "api"}}
	h := New(func() []status.Listener { return all })
	now := time.Now()
	h.take(now)
	h.take(now.Add(Step))
	if len(h.Listeners()) != 1 {
		t.Fatal("no points")
	}
	all = nil
	h.take(now.Add(2 * Step))
	if got := h.Listeners(); len(got) != 0 {
		t.Error(got)
	}
}
