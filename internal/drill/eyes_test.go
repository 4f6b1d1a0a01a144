package drill

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
	"github.com/kshalb/kshalb/internal/whohas"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func TestSeen(t *testing.T) {
	begin := time.Now()
	windows := func(macs ...[]string) (all []window) {
		for i, m := range macs {
			asked := begin.Add(time.Duration(i) * wireEvery)
			all = append(all, window{asked, asked.Add(wireEvery), m})
		}
		return all
	}
	a, b, ab, none := []string{"a"}, []string{"b"}, []string{"a", "b"}, []string(nil)
	never := func(time.Time, time.Time) bool { return false }
	for _, tc := range []struct {
		name    string
		windows []window
		lease   time.Duration
		doubles int
		owners  string
	}{
		{"a failover", windows(a, a, none, none, b, b), time.Second, 0, "a b"},
		{"two answer one question, one of them late", windows(a, ab, b), time.Second, 0, "a b"},
		{"the other way round", windows(a, []string{"b", "a"}, b), time.Second, 0, "a b a b"},
		{"back too soon", windows(a, b, a), time.Second, 1, "a b a"},
		{"back too soon, after both", windows(a, ab, a), time.Second, 1, "a b a"},
		{"back after a lease", windows(a, b, none, none, a), 60 * time.Millisecond, 0, "a b a"},
		{"both go on", windows(ab, ab, ab, ab), time.Second, 2, "a b a b a b a b"},
		{"nobody", windows(none, none), time.Second, 0, ""},
	} {
		s := seen(tc.windows, begin, begin.Add(time.Minute), tc.lease, never)
		got := strings.Join(s.Owners, " ")
		if s.Doubles != tc.doubles || got != tc.owners || s.Questions != len(tc.windows) {
			t.Errorf("%s: %+v", tc.name, s)
		}
	}
	if s := seen(windows(ab, a), begin.Add(wireEvery), begin.Add(time.Minute), time.Second, never); s.Questions != 1 || s.Doubles != 0 {
		t.Errorf("before the time: %+v", s)
	}
	since := func(from, _ time.Time) bool { return !from.Before(begin.Add(2 * wireEvery)) }
	if s := seen(windows(a, none, none), begin, begin.Add(time.Minute), time.Second, since); s.Doubles != 0 {
		t.Errorf("nobody else answers while it is ours: %+v", s)
	}
	if s := seen(windows(a, none, a, a), begin, begin.Add(time.Minute), time.Second, since); s.Doubles != 2 {
		t.Errorf("somebody answers while it is ours: %+v", s)
	}
}

// TestTwoOwnersOnTheWire: two hosts that both have the address are seen, and one that
// has it alone is no two.
func TestTwoOwnersOnTheWire(t *testing.T) {
	for _, ip := range []string{"192.168.0.10", "fd00:6b::10"} {
		t.Run(ip, func(t *testing.T) {
			vip := netip.MustParseAddr(ip)
			bits := 24
			if vip.Is6() {
				bits = 64
			}
			one, two, here := host(vip, 1), host(vip, 2), host(vip, 3)
			l := labtest.New(t)
			first, err := l.AddHost("one", netip.PrefixFrom(one, bits), netip.PrefixFrom(vip, bits))
			if err != nil {
				t.Fatal(err)
			}
			client, err := l.AddHost("client", netip.PrefixFrom(here, bits))
			if err != nil {
				t.Fatal(err)
			}
			if got := see(t, client, vip, new(tenure)); got.Doubles != 0 || !slices.Equal(got.Owners, []string{first.MAC().String()}) {
				t.Errorf("one owner: %+v", got)
			}
			var ours tenure
			stop := labtest.Background(t, func(ctx context.Context) error {
				ours.run(ctx, &fake{vip: status.VIP{State: "holding", Term: 1, LeaseRemaining: 0.5}}, "v")
				return nil
			})
			if got := see(t, client, vip, &ours); got.Doubles == 0 {
				t.Errorf("one owner, besides this host: %+v", got)
			}
			stop()
			if _, err := l.AddHost("two", netip.PrefixFrom(two, bits), netip.PrefixFrom(vip, bits)); err != nil {
				t.Fatal(err)
			}
			if got := see(t, client, vip, new(tenure)); got.Doubles == 0 {
				t.Errorf("two owners: %+v", got)
			}
		})
	}
}

// TestOwnCards: what another card of this host answers is nobody else's answer.
func TestOwnCards(t *testing.T) {
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	w := wire{cards: cards()}
	for _, l := range links {
		var at window
		if w.hear(&at, whohas.Claim{MAC: l.HardwareAddr, Answer: true}); len(at.macs) > 0 {
			t.Errorf("%s is taken for another host's", l.Name)
		}
	}
	var at window
	for _, answer := range []bool{false, true, true} {
		w.hear(&at, whohas.Claim{MAC: net.HardwareAddr{2, 'l', 'a', 'b', 9, 9}, Answer: answer})
	}
	if !slices.Equal(at.macs, []string{"02:6c:61:62:09:09"}) {
		t.Errorf("%q", at.macs)
	}
}

// TestEyesWithoutRoute: a host outside the address's network cannot look.
func TestEyesWithoutRoute(t *testing.T) {
	far, err := labtest.New(t).AddHost("far", netip.MustParsePrefix("10.9.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	_ = far.Do(func() error {
		if _, err := openEyes("", netip.MustParseAddr("192.168.0.10"), time.Second); err == nil || !strings.Contains(err.Error(), "no route") {
			t.Error(err)
		}
		return nil
	})
}

// host is the address with another last byte.
func host(vip netip.Addr, last byte) netip.Addr {
	b := vip.AsSlice()
	b[len(b)-1] = last
	a, _ := netip.AddrFromSlice(b)
	return a
}

// see looks from a host until some questions were answered.
func see(t *testing.T, from *lab.Host, vip netip.Addr, ours *tenure) Wire {
	t.Helper()
	var e eyes
	err := from.Do(func() (err error) {
		e, err = openEyes("eth0", vip, time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	stop := labtest.Background(t, func(ctx context.Context) error { return e.Run(ctx) })
	ctx := labtest.Context(t, 20*time.Second)
	for {
		if got := e.Seen(begin, time.Now(), ours); len(got.Owners) > 0 && got.Questions >= 20 {
			stop()
			return got
		}
		if err := sleep(ctx, wireEvery); err != nil {
			t.Fatal(err, e.Seen(begin, time.Now(), ours))
		}
	}
}
