package hooks

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestQueue: the queue is never longer than it may be, keeps its order, and loses the
// last event of a subject only when all subjects together are too many.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subjects := rapid.IntRange(1, maxQueue+10).Draw(t, "subjects")
		var q queue
		last := make(map[string]Event)
		lost := 0
		n := rapid.IntRange(1, 4*maxQueue).Draw(t, "events")
		for i := range n {
			e := Event{On: Holder, VIP: fmt.Sprint(rapid.IntRange(1, subjects).Draw(t, "subject")), Term: uint64(i)}
			lost += len(q.put(e))
			last[e.VIP] = e
		}
		if len(q) > maxQueue || len(q)+lost != n {
			t.Fatalf("%d wait, %d are lost of %d", len(q), lost, n)
		}
		if !slices.IsSortedFunc(q, func(a, b Event) int { return int(a.Term) - int(b.Term) }) {
			t.Fatal("out of order")
		}
		if len(last) > maxQueue {
			return
		}
		for vip, want := range last {
			if i := slices.IndexFunc(q, func(e Event) bool { return e.VIP == vip && e.Term == want.Term }); i < 0 {
				t.Fatalf("the last event of %s is lost", vip)
			}
		}
	})
}

func TestQueueLosesTheOldestThatIsOutOfDate(t *testing.T) {
	var q queue
	q.put(Event{On: Backend, Listener: "a", Backend: "192.0.2.1:6443", To: "down"}) // the only one of its subject
	for i := range maxQueue - 1 {
		q.put(Event{On: Holder, VIP: "v", Term: uint64(i)})
	}
	for i := range 2 {
		if lost := q.put(Event{On: Holder, VIP: "v", Term: 1000}); len(lost) != 1 || lost[0].On != Holder || lost[0].Term != uint64(i) {
			t.Errorf("lost %+v", lost)
		}
	}
	if e, ok := q.take(); !ok || e.On != Backend {
		t.Errorf("%+v", e)
	}
}

func TestQueueOfManySubjectsLosesTheOldest(t *testing.T) {
	var q queue
	for i := range maxQueue {
		q.put(Event{On: Holder, VIP: fmt.Sprint(i)})
	}
	if lost := q.put(Event{On: Holder, VIP: "new"}); len(lost) != 1 || lost[0].VIP != "0" {
		t.Errorf("lost %+v", lost)
	}
	for len(q) > 0 {
		q.take()
	}
	if _, ok := q.take(); ok {
		t.Error("an event out of nothing")
	}
}
