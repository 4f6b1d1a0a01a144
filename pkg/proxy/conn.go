package proxy

import "time"

// phase is where a connection is in its life.
type phase uint8

const (
	vacant     phase = iota // a place in the slab
	connecting              // has a client, and no byte of it was read
	relaying
)

// The sides of a connection, as indices. Flow i goes from leg i to the other.
const (
	clientSide = iota
	backendSide
)

// noFD stands for a leg that is not there.
const noFD = -1

// conn is one client's connection from accept to its end. It belongs to one
// loop and is touched by no other goroutine.
type conn struct {
	timer timer // of connect, then of still; its id is the place in the slab
	legs  [2]leg
	flows [2]flow
	hello hello // of the client

	from    *acceptor
	source  *source       // whose it is, where that is counted
	target  *member       // the backend that is tried or relayed to; nil is none
	stats   *backendStats // of target
	tried   []*member     // backends that failed
	started time.Duration // the attempt to connect
	still   stillness

	generation uint32 // how often the place was vacated
	next       int32  // the next vacant place
	bucket     uint16 // of the client, for Pool.pick
	phase      phase
	half       bool  // one direction has ended
	queued     bool  // there is more to do without an event
	answered   bool  // the backend has sent something
	unsaid     uint8 // bytes for the backend that are ours: who its client is
	again      bool  // it is to have another backend, after the events that are there
	dismissed  bool  // sent away, see dismiss; its backend's load is without it
}

// bulk reports whether much was to be read lately.
func (c *conn) bulk() bool { return c.flows[0].bulk || c.flows[1].bulk }

// chunk is how many connections get their memory together; a power of two.
const chunk = 64

// slab holds a loop's connections. Their places never move, are used again, and
// are not given back.
type slab struct {
	chunks [][]conn
	vacant int32 // first of the list of vacant places; -1 ends it
	live   int
}

func newSlab() slab { return slab{vacant: -1} }

// add returns a place for a connection.
func (s *slab) add() *conn {
	if s.vacant < 0 {
		s.grow()
	}
	c := s.at(s.vacant)
	s.vacant = c.next
	s.live++
	return c
}

func (s *slab) grow() {
	fresh := make([]conn, chunk)
	first := int32(len(s.chunks) * chunk)
	for i := range fresh {
		fresh[i].timer.id = first + int32(i)
		fresh[i].next = first + int32(i) + 1
	}
	fresh[chunk-1].next = s.vacant
	s.vacant = first
	s.chunks = append(s.chunks, fresh)
}

// remove vacates the place of c, whose timer is stopped. Whatever still names
// its generation is void.
func (s *slab) remove(c *conn) {
	id := c.timer.id
	clear(c.tried)
	*c = conn{timer: timer{id: id}, tried: c.tried[:0], generation: c.generation + 1, next: s.vacant}
	s.vacant = id
	s.live--
}

func (s *slab) at(id int32) *conn { return &s.chunks[id/chunk][id%chunk] }

// find returns the connection that has had a place since a generation, nil when
// it has gone.
func (s *slab) find(id int32, generation uint32) *conn {
	if c := s.at(id); c.generation == generation && c.phase != vacant {
		return c
	}
	return nil
}

// each calls do for all that live; do may remove them.
func (s *slab) each(do func(*conn)) {
	for _, some := range s.chunks {
		for i := range some {
			if some[i].phase != vacant {
				do(&some[i])
			}
		}
	}
}
