package hooks

import "slices"

// maxQueue is how many events may wait for a hook.
const maxQueue = 128

// queue is the events that wait for a hook, the oldest first.
type queue []Event

// put adds an event. In a full queue that costs the oldest event that a later one of
// the same subject makes out of date, or else the oldest of all.
func (q *queue) put(e Event) (lost []Event) {
	*q = append(*q, e)
	if len(*q) <= maxQueue {
		return nil
	}
	i := q.outdated()
	lost = []Event{(*q)[i]}
	*q = slices.Delete(*q, i, i+1)
	return lost
}

// outdated is the place of the oldest event that a later one makes out of date; 0
// when there is none.
func (q queue) outdated() int {
	last := make(map[string]int, len(q)) // by subject
	for i, e := range q {
		last[e.subject()] = i
	}
	for i, e := range q {
		if last[e.subject()] > i {
			return i
		}
	}
	return 0
}

// take removes the oldest event.
func (q *queue) take() (e Event, ok bool) {
	if len(*q) == 0 {
		return e, false
	}
	e = (*q)[0]
	*q = slices.Delete(*q, 0, 1)
	return e, true
}
