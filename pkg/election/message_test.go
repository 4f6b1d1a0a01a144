package election

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var samples = map[string]Message{
	"request":  {VIP: "api", From: alice, Fitness: Fit, Set: 1 << 63, Bootstrapped: true, Request: &Request{Attempt: 9, Term: 3, Keep: time.Second, Holding: true, Proven: true}},
	"granted":  {VIP: "api", From: bob, Response: &Response{To: alice, Attempt: 9, Granted: true, Term: 3}},
	"refused":  {VIP: "api", From: bob, Fitness: Able, Response: &Response{To: alice, HeldBy: "carol", Remaining: time.Second, Tentative: true}},
	"release":  {VIP: "api", From: alice, Release: &Release{Attempt: 12, Successor: "bob"}},
	"released": {VIP: "api", From: alice, Release: &Release{Attempt: 12}},
}

func TestMessageRoundTrip(t *testing.T) {
	for name, want := range samples {
		b, err := Encode(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(b) > 200 {
			t.Errorf("%s: %d bytes, want a small datagram", name, len(b))
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	bad := map[string]Message{
		"no body":          {VIP: "api", From: alice},
		"two bodies":       {VIP: "api", From: alice, Release: &Release{}, Request: &Request{Keep: 1}},
		"no sender":        {VIP: "api", Release: &Release{}},
		"no VIP":           {From: alice, Release: &Release{}},
		"a long name":      {VIP: long, From: alice, Release: &Release{}},
		"a long successor": {VIP: "api", From: alice, Release: &Release{Successor: long}},
		"keep of nothing":  {VIP: "api", From: alice, Request: &Request{}},
		"keep for ever":    {VIP: "api", From: alice, Request: &Request{Keep: maxKeep + 1}},
		"negative rest":    {VIP: "api", From: alice, Response: &Response{To: bob, Remaining: -1}},
		"strange fitness":  {VIP: "api", From: alice, Fitness: 9, Release: &Release{}},
	}
	for name, m := range bad {
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
	good, _ := Encode(samples["request"])
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"another version": append([]byte{wireVersion + 1}, good[1:]...),
		"cut short":       good[:len(good)-1],
		"with a tail":     append(good[:len(good):len(good)], 0),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

// FuzzDecode: whatever comes, Decode says no or gives a message that encodes
// to one that decodes alike.
func FuzzDecode(f *testing.F) {
	for _, m := range samples {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		m2, err := Decode(again)
		if err != nil || !cmp.Equal(m, m2) {
			t.Fatalf("%+v became %+v: %v", m, m2, err)
		}
	})
}
