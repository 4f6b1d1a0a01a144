package election

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
)

var samples = map[string]Message{
	"request":  {VIP: "api", From: alice, Fitness: Fit, Set: 1 << 63, Bootstrapped: true, Request: &Request{Attempt: 9, Term: 3, Keep: time.Second, Holding: true, Proven: true}},
	"granted":  {VIP: "api", From: bob, Response: &Response{To: alice, Attempt: 9, Granted: true, Term: 3}},
	"refused":  {VIP: "api", From: bob, Fitness: Able, Response: &Response{To: alice, HeldBy: "carol", Remaining: time.Second, Tentative: true}},
	"release":  {VIP: "api", From: alice, Release: &Release{Attempt: 12, Successor: "bob"}},
	"released": {VIP: "api", From: alice, Release: &Release{Attempt: 12}},
}

// encode encodes messages that fit one datagram.
func encode(t testing.TB, all ...Message) []byte {
	t.Helper()
	wire, err := Encode(all)
	if err != nil || len(wire) != 1 {
		t.Fatalf("%d datagrams, %v", len(wire), err)
	}
	return wire[0]
}

func TestDatagramRoundTrip(t *testing.T) {
	for name, want := range samples {
		b := encode(t, want)
		got, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]Message{want}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(b) > 120 {
			t.Errorf("%s: %d bytes, want a small datagram", name, len(b))
		}
	}
}

// all is a message of a kind for each of n VIPs.
func all(n int, m Message) (messages []Message) {
	for i := range n {
		m.VIP = fmt.Sprintf("vip-%02d", i)
		messages = append(messages, m)
	}
	return messages
}

// A renewal of 64 VIPs, and the answer to it, each fit one Ethernet frame with
// room for IPv6, UDP, memberlist's label and AES-GCM (less than 100 bytes).
func TestDatagramOfAllVIPs(t *testing.T) {
	owner := Owner{"master1.example", math.MaxUint64}
	for name, m := range map[string]Message{
		"request": {From: owner, Set: math.MaxUint64, Fitness: Fit, Request: &Request{
			Attempt: math.MaxUint32, Term: 1000, Keep: time.Second, Holding: true, Proven: true}},
		"response": {From: owner, Set: math.MaxUint64, Fitness: Fit, Response: &Response{
			To: owner, Attempt: math.MaxUint32, Granted: true, Term: 1000}},
	} {
		want := all(maxItems, m)
		b := encode(t, want...)
		t.Logf("%s: %d bytes", name, len(b))
		if len(b) > 1500-100 {
			t.Errorf("%s: %d bytes", name, len(b))
		}
		got, err := Decode(b)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

// What does not share what a datagram says once goes in another one, in order.
func TestDatagramsThatDiffer(t *testing.T) {
	request := samples["request"]
	longer := request
	longer.Request = &Request{Attempt: 9, Term: 3, Keep: 2 * time.Second}
	toBob := Message{VIP: "api", From: bob, Response: &Response{To: bob, Attempt: 9}}
	for name, test := range map[string]struct {
		messages []Message
		want     []int // messages in each datagram
	}{
		"none":              {nil, nil},
		"two alike":         {[]Message{request, request}, []int{2}},
		"another keep":      {[]Message{request, longer, request}, []int{1, 1, 1}},
		"a kind each":       {[]Message{samples["released"], samples["release"]}, []int{2}},
		"another node":      {[]Message{samples["granted"], toBob}, []int{1, 1}},
		"another sender":    {[]Message{samples["granted"], samples["release"]}, []int{1, 1}},
		"too many":          {all(maxItems+1, request), []int{maxItems, 1}},
		"response, request": {[]Message{{VIP: "a", From: bob, Response: &Response{To: alice}}, {VIP: "a", From: bob, Request: &Request{Keep: 1}}}, []int{2}},
	} {
		wire, err := Encode(test.messages)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var counts []int
		var got []Message
		for _, b := range wire {
			m, err := Decode(b)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			counts, got = append(counts, len(m)), append(got, m...)
		}
		if diff := cmp.Diff(test.messages, got); diff != "" || !slices.Equal(counts, test.want) {
			t.Errorf("%s: datagrams of %v messages %s", name, counts, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	bad := map[string]Message{
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
		if _, err := Decode(encode(t, m)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
	good := encode(t, samples["request"])
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"another version": append([]byte{wireVersion + 1}, good[1:]...),
		"cut short":       good[:len(good)-1],
		"with a tail":     append(good[:len(good):len(good)], 0),
		"no messages":     packed(t, datagram{From: alice}),
		"too many":        packed(t, datagram{From: alice, Items: make([]item, maxItems+1)}),
		"an unknown kind": packed(t, datagram{From: alice, Items: []item{{VIP: "api", What: aRelease + 4}}}),
		"a strange word":  packed(t, datagram{From: alice, Items: []item{{VIP: "api", What: aRelease | 1}}}),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

func packed(t *testing.T, d datagram) []byte {
	t.Helper()
	b, err := cbor.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{wireVersion}, b...)
}

// FuzzDecode: whatever comes, Decode says no or gives a message that encodes
// to one that decodes alike.
func FuzzDecode(f *testing.F) {
	for _, m := range samples {
		f.Add(encode(f, m))
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
		if len(again) != 1 {
			t.Fatalf("%+v became %d datagrams", m, len(again))
		}
		m2, err := Decode(again[0])
		if err != nil || !cmp.Equal(m, m2) {
			t.Fatalf("%+v became %+v: %v", m, m2, err)
		}
	})
}
