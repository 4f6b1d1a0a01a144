package drill

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func TestSeen(t *testing.T) {
	begin := time.Now()
	windows := func(macs ...[]string) (all []window) {
		for i, m := range macs {
			all = append(all, window{begin.Add(time.Duration(i) * wireEvery), m})
		}
		return all
	}
	a, b, ab, none := []string{"a"}, []string{"b"}, []string{"a", "b"}, []string(nil)
	for _, tc := range []struct {
		name    string
		windows []window
		back    time.Duration
		doubles int
		owners  string
	}{
		{"a failover", windows(a, a, none, none, b, b), 0, 0, "a b"},
		{"two answer one question", windows(a, ab, b), 0, 1, "a b"},
		{"a handover between two questions, IPv6", windows(a, ab, b), time.Second, 0, "a b"},
		{"back too soon, IPv6", windows(a, ab, a), time.Second, 1, "a b a"},
		{"back after a lease, IPv6", windows(a, b, none, none, a), 60 * time.Millisecond, 0, "a b a"},
		{"nobody", windows(none, none), 0, 0, ""},
	} {
		s := seen(tc.windows, begin, begin.Add(time.Minute), tc.back)
		got := strings.Join(s.Owners, " ")
		if s.Doubles != tc.doubles || got != tc.owners || s.Questions != len(tc.windows) {
			t.Errorf("%s: %+v", tc.name, s)
		}
	}
	if s := seen(windows(ab, a), begin.Add(wireEvery), begin.Add(time.Minute), 0); s.Questions != 1 || s.Doubles != 0 {
		t.Errorf("before the time: %+v", s)
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
			if got := see(t, client, vip); got.Doubles != 0 || !slices.Equal(got.Owners, []string{first.MAC().String()}) {
				t.Errorf("one owner: %+v", got)
			}
			if _, err := l.AddHost("two", netip.PrefixFrom(two, bits), netip.PrefixFrom(vip, bits)); err != nil {
				t.Fatal(err)
			}
			if got := see(t, client, vip); got.Doubles == 0 {
				t.Errorf("two owners: %+v", got)
			}
		})
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
func see(t *testing.T, from *lab.Host, vip netip.Addr) Wire {
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
		if got := e.Seen(begin, time.Now()); len(got.Owners) > 0 && got.Questions >= 20 {
			stop()
			return got
		}
		if err := sleep(ctx, wireEvery); err != nil {
			t.Fatal(err, e.Seen(begin, time.Now()))
		}
	}
}
