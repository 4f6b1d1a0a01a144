package lab

import (
	"slices"
	"time"
)

// Sighting is one proof that a host had the address: at some moment between
// From and To, both measured around the question and its answer.
type Sighting struct {
	Host  string
	Round uint32 // of questions; in each round every host is asked once
	From  time.Time
	To    time.Time
}

// Timeline is sightings in the order in which they were made.
type Timeline []Sighting

// Span is a time through which a host had the address: it was seen in each
// round from First to Last.
type Span struct {
	Host        string
	First, Last Sighting
}

// From is the first moment at which the host certainly had the address.
func (s Span) From() time.Time { return s.First.To }

// To is the last moment at which the host certainly had the address. It is
// before From when there was a single sighting.
func (s Span) To() time.Time { return s.Last.From }

// maxStep is the longest time between two questions through which a host is
// believed to have had the address without a break. Rounds are some ms apart,
// but on a busy machine the questioner may be kept waiting.
const maxStep = 50 * time.Millisecond

// Spans joins sightings of consecutive rounds, ordered by their beginning.
func (t Timeline) Spans() []Span {
	var spans []Span
	open := make(map[string]int) // index of the host's latest span
	for _, s := range t {
		i, ok := open[s.Host]
		if ok && s.Round == spans[i].Last.Round+1 && s.From.Sub(spans[i].Last.From) <= maxStep {
			spans[i].Last = s
			continue
		}
		open[s.Host] = len(spans)
		spans = append(spans, Span{s.Host, s, s})
	}
	return spans
}

// Double is two hosts that had the address at the same time.
type Double struct {
	Hosts    [2]string
	From, To time.Time // of the time that is proven, which may be a moment
}

// Doubles returns every proven case of two owners. A case is proven when one
// host was seen between two sightings of another in a row, or their spans
// overlap: an orderly handover that falls between two questions is none.
func (t Timeline) Doubles() []Double {
	spans := t.Spans()
	var doubles []Double
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			if a.Host == b.Host {
				continue
			}
			if from, to := later(a.From(), b.From()), earlier(a.To(), b.To()); from.Before(to) {
				doubles = append(doubles, Double{[2]string{a.Host, b.Host}, from, to})
			} else if inside(b.First, a) || inside(a.First, b) {
				doubles = append(doubles, Double{[2]string{a.Host, b.Host}, from, from})
			}
		}
	}
	return doubles
}

// inside reports whether s lies within the proven time of span.
func inside(s Sighting, span Span) bool {
	return !s.From.Before(span.From()) && !s.To.After(span.To())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Overlap is the proven time with two owners. Times with three count twice.
func Overlap(doubles []Double) time.Duration {
	var sum time.Duration
	for _, d := range doubles {
		sum += d.To.Sub(d.From)
	}
	return sum
}

// Since returns the sightings whose question was asked at or after a moment.
func (t Timeline) Since(at time.Time) Timeline {
	return slices.DeleteFunc(slices.Clone(t), func(s Sighting) bool { return s.From.Before(at) })
}

// Last returns the latest sighting.
func (t Timeline) Last() (Sighting, bool) {
	if len(t) == 0 {
		return Sighting{}, false
	}
	return t[len(t)-1], true
}
