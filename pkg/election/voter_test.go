package election

import (
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var (
	alice  = Owner{"alice", 1}
	alice2 = Owner{"alice", 2} // the same node after a restart
	bob    = Owner{"bob", 7}
)

const keepFor = time.Second

// awake returns a voter whose silence is over at t0.
func awake() *voter {
	v := newVoter(t0.Add(-Silence))
	return &v
}

func ask(attempt uint64) Request { return Request{Attempt: attempt, Term: 1, Keep: keepFor} }

func TestVoterRequest(t *testing.T) {
	afterGrant := voterTime(keepFor)
	tests := []struct {
		name    string
		prepare func(v *voter)
		after   time.Duration
		from    Owner
		request Request
		granted bool
		heldBy  string
		reason  Reason
	}{
		{name: "a free vote is given", from: alice, request: ask(1), granted: true},
		{name: "silence after the start", prepare: func(v *voter) { *v = newVoter(t0) }, from: alice, request: ask(1), reason: ReasonSilent},
		{name: "silence to its last moment", prepare: func(v *voter) { *v = newVoter(t0) }, after: Silence - 1, from: alice, request: ask(1), reason: ReasonSilent},
		{name: "after the silence", prepare: func(v *voter) { *v = newVoter(t0) }, after: Silence, from: alice, request: ask(1), granted: true},
		{name: "another owner while the grant lives", prepare: give(alice, 1), after: afterGrant - 1, from: bob, request: ask(1), heldBy: "alice"},
		{name: "another owner when the grant has ended", prepare: give(alice, 1), after: afterGrant, from: bob, request: ask(1), granted: true},
		{name: "another incarnation is another owner", prepare: give(alice, 1), from: alice2, request: ask(1), heldBy: "alice"},
		{name: "the same owner renews", prepare: give(alice, 1), after: 1, from: alice, request: ask(2), granted: true},
		{name: "an attempt that was released", prepare: then(give(alice, 3), release(alice, 3, "")), from: alice, request: ask(3), reason: ReasonReplayed},
		{name: "an older attempt than the released", prepare: then(give(alice, 3), release(alice, 3, "")), from: alice, request: ask(2), reason: ReasonReplayed},
		{name: "a newer attempt than the released", prepare: then(give(alice, 3), release(alice, 3, "")), from: alice, request: ask(4), granted: true},
		{name: "a release frees the vote", prepare: then(give(alice, 3), release(alice, 3, "")), from: bob, request: ask(1), granted: true},
		{name: "a late release does not free a newer grant", prepare: then(give(alice, 3), release(alice, 2, "")), from: bob, request: ask(1), heldBy: "alice"},
		{name: "a release by another incarnation frees nothing", prepare: then(give(alice, 3), release(alice2, 3, "")), from: bob, request: ask(1), heldBy: "alice"},
		{name: "reserved for the successor", prepare: then(give(alice, 3), release(alice, 3, "carol")), from: bob, request: ask(1), heldBy: "carol"},
		{name: "the successor itself", prepare: then(give(alice, 3), release(alice, 3, "bob")), from: bob, request: ask(1), granted: true},
		{name: "the reservation ends", prepare: then(give(alice, 3), release(alice, 3, "carol")), after: reserveTime, from: bob, request: ask(1), granted: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := awake()
			if tt.prepare != nil {
				tt.prepare(v)
			}
			got, reason := v.request(t0.Add(tt.after), tt.from, tt.request)
			if got.Granted != tt.granted || got.HeldBy != tt.heldBy || reason != tt.reason {
				t.Errorf("granted %v, held by %q, reason %q; want %v, %q, %q", got.Granted, got.HeldBy, reason, tt.granted, tt.heldBy, tt.reason)
			}
		})
	}
}

func give(o Owner, attempt uint64) func(*voter) {
	return func(v *voter) { v.request(t0, o, ask(attempt)) }
}

func release(o Owner, attempt uint64, successor string) func(*voter) {
	return func(v *voter) { v.release(t0, o, Release{Attempt: attempt, Successor: successor}) }
}

func then(steps ...func(*voter)) func(*voter) {
	return func(v *voter) {
		for _, step := range steps {
			step(v)
		}
	}
}

func TestVoterNeverShortensAGrant(t *testing.T) {
	v := awake()
	v.request(t0, alice, Request{Attempt: 5, Keep: 3 * time.Second, Holding: true})
	want, _ := v.granted(t0)
	if _, why := v.request(t0.Add(time.Millisecond), alice, Request{Attempt: 4, Keep: time.Minute}); why != ReasonReplayed {
		t.Errorf("an older request: reason %q", why)
	}
	v.request(t0.Add(time.Millisecond), alice, Request{Attempt: 6, Keep: time.Second, Holding: true})
	got, live := v.granted(t0.Add(time.Millisecond))
	if !live || got.until.Before(want.until) || !got.holding || got.attempt != 6 {
		t.Errorf("grant after late and shorter requests: %+v, want until %v and holding", got, want.until)
	}
}

// A message of an earlier run makes the voter forget which attempts of the
// present one it has seen. Copies of old messages must not undo the grant then.
func TestVoterNeverLowersAGrant(t *testing.T) {
	v := awake()
	v.request(t0, alice2, ask(1))
	v.release(t0, alice2, Release{Attempt: 1})
	v.request(t0, alice2, ask(2))
	v.request(t0, alice, ask(7)) // late, and refused
	if _, why := v.request(t0, alice2, ask(1)); why != ReasonReplayed {
		t.Errorf("a copy of an old request: reason %q", why)
	}
	v.release(t0, alice2, Release{Attempt: 1})
	if g, live := v.granted(t0); !live || g.owner != alice2 || g.attempt != 2 {
		t.Errorf("the grant is %+v, live %v", g, live)
	}
}

func TestProven(t *testing.T) {
	three, five := votersOf([]string{"a", "b", "c"}), votersOf([]string{"a", "b", "c", "d", "e"})
	tests := []struct {
		name    string
		voters  []Voter
		granted map[string]uint64
		want    uint64
		ok      bool
	}{
		{"nobody", three, nil, 0, false},
		{"a minority", three, map[string]uint64{"a": 9}, 0, false},
		{"the older of two", three, map[string]uint64{"a": 9, "b": 5}, 5, true},
		{"the second newest of three", three, map[string]uint64{"a": 9, "b": 5, "c": 7}, 7, true},
		{"who is no voter does not count", three, map[string]uint64{"a": 9, "x": 9}, 0, false},
		{"the third newest of five", five, map[string]uint64{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, 3, true},
		{"a single voter", votersOf([]string{"a"}), map[string]uint64{"a": 1}, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := newElectorate(tt.voters).proven(tt.granted)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %v, %v; want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestTimingValidate(t *testing.T) {
	for _, tt := range []struct {
		timing Timing
		ok     bool
	}{
		{Timing{500 * ms, 100 * ms}, true},
		{Timing{MinLease, MinRenew}, true},
		{Timing{MaxLease, MaxLease / 3}, true},
		{Timing{MinLease - 1, MinRenew}, false},
		{Timing{MaxLease + 1, 100 * ms}, false},
		{Timing{500 * ms, MinRenew - 1}, false},
		{Timing{500 * ms, 167 * ms}, false},
	} {
		if err := tt.timing.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.timing, err)
		}
	}
}

func TestSilenceOutlivesEveryGrant(t *testing.T) {
	if longest := voterTime(MaxLease + maxLinger); Silence < longest {
		t.Errorf("silence %v is shorter than the longest grant %v", Silence, longest)
	}
}
