// Package history remembers the last quarter of an hour of a node's figures, for
// those who look at it without a Prometheus.
package history

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

const (
	// Step is between two points.
	Step = 5 * time.Second
	// Points are remembered: a quarter of an hour.
	Points = 180
)

// Point is what one listener did in the Step that ended At.
type Point struct {
	At     time.Time `json:"at"`
	Active int64     `json:"active"` // connections at its end
	New    float64   `json:"new"`    // connections a second
	In     float64   `json:"in"`     // bytes a second from clients
	Out    float64   `json:"out"`    // bytes a second to clients
	Probe  float64   `json:"probe"`  // seconds that the slowest backend's last probe took
}

// History is the points of a node's listeners. It is safe for concurrent use.
type History struct {
	look func() []status.Listener

	mu     sync.Mutex
	points map[string][]Point // by listener, the oldest first
	last   map[string]sums
}

// sums are counters of one listener; those of a backend that is gone are missing.
type sums struct {
	at                time.Time
	connections       map[string]uint64 // by backend
	bytesIn, bytesOut map[string]uint64
}

// New makes one that knows nothing yet; look tells of the listeners now.
func New(look func() []status.Listener) *History {
	return &History{look: look, points: make(map[string][]Point), last: make(map[string]sums)}
}

// Run looks at each Step until ctx ends.
func (h *History) Run(ctx context.Context) error {
	tick := time.NewTicker(Step)
	defer tick.Stop()
	h.take(time.Now())
	for {
		select {
		case now := <-tick.C:
			h.take(now)
		case <-ctx.Done():
			return nil
		}
	}
}

// Listeners returns the points of all listeners, by their names, the oldest first.
func (h *History) Listeners() map[string][]Point {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string][]Point)
	for name, points := range h.points {
		all[name] = slices.Clone(points)
	}
	return all
}

func (h *History) take(now time.Time) {
	listeners := h.look()
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.last
	h.last = make(map[string]sums)
	for _, l := range listeners {
		is := sumsOf(l, now)
		h.last[l.Name] = is
		if before, ok := was[l.Name]; ok {
			h.add(l, before, is)
		}
	}
	for name := range h.points {
		if _, there := h.last[name]; !there {
			delete(h.points, name)
		}
	}
}

func (h *History) add(l status.Listener, before, is sums) {
	took := is.at.Sub(before.at).Seconds()
	if took <= 0 {
		return
	}
	p := Point{At: is.at, Active: l.Active}
	p.New = grown(before.connections, is.connections) / took
	p.In, p.Out = grown(before.bytesIn, is.bytesIn)/took, grown(before.bytesOut, is.bytesOut)/took
	for _, b := range l.Backends {
		p.Probe = max(p.Probe, b.Probe)
	}
	points := append(h.points[l.Name], p)
	h.points[l.Name] = points[max(0, len(points)-Points):]
}

func sumsOf(l status.Listener, at time.Time) sums {
	s := sums{at, make(map[string]uint64), make(map[string]uint64), make(map[string]uint64)}
	for _, b := range l.Backends {
		s.connections[b.Address], s.bytesIn[b.Address], s.bytesOut[b.Address] = b.Connections, b.BytesIn, b.BytesOut
	}
	return s
}

// grown is by how much counters have grown. One that is new, or has begun anew,
// has grown by all that it has.
func grown(before, is map[string]uint64) float64 {
	sum := 0.0
	for name, n := range is {
		if was := before[name]; was <= n {
			n -= was
		}
		sum += float64(n)
	}
	return sum
}
