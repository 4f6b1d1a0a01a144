package proxy

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// homes is the backend of each bucket.
func homes(t *rapid.T, backends []Backend) []netip.AddrPort {
	p := upPool(PoolConfig{Balance: Source}, backends)
	all := make([]netip.AddrPort, buckets)
	for b := range all {
		m := p.pick(uint16(b), nil)
		if other := p.view.Load().tiers[0].highest(uint16(b), nil); other != m {
			t.Fatalf("bucket %d: %s in the table, %s reckoned", b, m.address, other.address)
		}
		all[b] = m.address
	}
	return all
}

// TestRendezvousMovesTheLeast: the order of the backends is nothing to it, when one
// goes its clients alone move, to where a retry would have them, and when it comes
// back they do.
func TestRendezvousMovesTheLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends := Even(addrs(rapid.IntRange(2, 12).Draw(t, "backends"))...)
		for i := range backends {
			backends[i].Weight = rapid.IntRange(1, 256).Draw(t, "weight")
		}
		gone := rapid.IntRange(0, len(backends)-1).Draw(t, "gone")
		all := homes(t, rapid.Permutation(backends).Draw(t, "order"))
		p := upPool(PoolConfig{Balance: Source}, backends)
		rest := homes(t, slices.Delete(slices.Clone(backends), gone, gone+1))
		for b := range all {
			want := all[b]
			if want == backends[gone].Address {
				want = p.pick(uint16(b), p.order[gone:gone+1]).address
			}
			if rest[b] != want {
				t.Fatalf("bucket %d of %s moves from %s to %s, not %s", b, backends[gone].Address, all[b], rest[b], want)
			}
		}
	})
}

// TestRendezvousWeight: a backend that gets heavier takes clients, and no other
// client moves.
func TestRendezvousWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends := uneven(rapid.IntRange(2, 12).Draw(t, "backends"))
		before := homes(t, backends)
		backends[1].Weight *= 2
		for b, home := range homes(t, backends) {
			if home != before[b] && home != backends[1].Address {
				t.Fatalf("bucket %d moves from %s to %s", b, before[b], home)
			}
		}
	})
}

// TestRendezvousForEver: nodes of different versions have to agree.
func TestRendezvousForEver(t *testing.T) {
	p := upPool(PoolConfig{Balance: Source}, uneven(5))
	var got []byte
	for _, from := range []string{"192.0.2.1", "192.0.2.2", "198.51.100.7", "2001:db8::1", "2001:db8:0:1::1", "2001:db8:7::9"} {
		got = append(got, p.pick(bucketOf(netip.MustParseAddr(from)), nil).address.Addr().As4()[3])
	}
	if want := []byte{1, 4, 4, 5, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

func TestBuckets(t *testing.T) {
	same := [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8::1", "2001:db8::ffff:1:2:3"},
		{"fe80::1%eth0", "fe80::1"},
	}
	for _, s := range same {
		if a, b := bucketOf(netip.MustParseAddr(s[0])), bucketOf(netip.MustParseAddr(s[1])); a != b {
			t.Errorf("%s is in %d, %s in %d", s[0], a, s[1], b)
		}
	}
	var v4, v6 [buckets]int
	ones := make([]int, buckets)
	for i := range ones {
		ones[i] = 1
	}
	for i := range 40 * buckets {
		v4[bucketOf(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))]++
		v6[bucketOf(netip.AddrFrom16([16]byte{0x20, 1, 13: byte(i), 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)}))]++
	}
	for name, counts := range map[string][]int{"IPv4": v4[:], "IPv6": v6[:]} {
		if err := implausible(counts, ones); err != nil {
			t.Errorf("%s: %.100s", name, err)
		}
	}
}
