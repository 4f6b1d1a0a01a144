package health

// verdict is what one probe, or somebody else's evidence, says of a target.
type verdict int

const (
	ready     verdict = iota
	notReady          // it answers, and asks for no new connections
	dead              // it does not answer
	undecided         // it speaks against it, and does not tell by itself what became of it
)

// tally counts verdicts in a row and decides when they change the state. It is
// pure: no clock, no lock. Rise and fall are at least 1.
//
//	unknown       the first verdict decides alone; one that tells nothing makes it down
//	up            the first failure makes it suspect
//	suspect       one success makes it up; fall failures, draining or down, as the last one says
//	draining      rise successes make it up; fall dead ones in a row, down
//	down          rise successes make it up; one answer that it is not ready, draining
//
// One that is undecided counts, and never is the one that decides.
//
// Whoever was heard since the first of the failures is not down: its connections
// live, and resetting them would be the only harm.
type tally struct {
	rise, fall int
	state      State
	fails      int // that speak against the state, in a row
	successes  int // in a row, while draining or down
}

// pending reports whether the next verdict may change the state, for the worse or
// the better.
func (t *tally) pending() bool { return t.fails > 0 || t.successes > 0 || t.state == Unknown }

// add counts one verdict. heard says that something came from the target since the
// first failure. It reports whether the state has changed.
func (t *tally) add(v verdict, heard bool) (changed bool) {
	was := t.state
	switch {
	case t.state == Unknown:
		t.state = map[verdict]State{ready: Up, notReady: Draining, dead: Down, undecided: Down}[v]
	case v == ready && t.state <= Suspect:
		t.state, t.fails = Up, 0
	case v == ready:
		t.rises()
	case t.state <= Suspect:
		t.falls(v, heard)
	default:
		t.stays(v, heard)
	}
	return t.state != was
}

// rises is a success of one that is draining or down.
func (t *tally) rises() {
	t.fails = 0
	if t.successes++; t.successes >= t.rise {
		t.state, t.successes = Up, 0
	}
}

// falls is a failure of one that is up or suspect.
func (t *tally) falls(v verdict, heard bool) {
	t.state = Suspect
	if t.fails++; t.fails < t.fall || v == undecided {
		return
	}
	t.fails = 0
	if t.state = Down; v == notReady || heard {
		t.state = Draining
	}
}

// stays is a failure of one that is draining or down.
func (t *tally) stays(v verdict, heard bool) {
	t.successes = 0
	switch {
	case v == notReady:
		t.state, t.fails = Draining, 0
	case t.state == Down || v == undecided:
	case heard:
		t.fails = 0 // the next ones count from there on
	default:
		if t.fails++; t.fails >= t.fall {
			t.state, t.fails = Down, 0
		}
	}
}
