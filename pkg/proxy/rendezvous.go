package proxy

import (
	"math"
	"net/netip"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// buckets is how many groups clients are in. A group goes to one backend as a
// whole.
const buckets = 4096

// bucketOf returns the group of a client: the same one on every node. Of an IPv6
// address the first 64 bits count, as a host may have many with the same ones
// (RFC 8981).
func bucketOf(client netip.Addr) uint16 {
	b := client.Unmap().As16()
	if client.Unmap().Is6() {
		clear(b[8:])
	}
	return uint16(xxhash.Sum64(b[:]) % buckets)
}

// rendezvous returns the index of each bucket's entry: the one of the highest
// score (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous",
// 1996). So when one goes its clients alone move, and when one comes only its own
// do.
func rendezvous(entries []entry) []uint16 {
	seeds := make([]uint64, len(entries))
	for i := range entries {
		seeds[i] = seed(entries[i].member)
	}
	table := make([]uint16, buckets)
	for bucket := range table {
		best := 0.0
		for i := range entries {
			if s := score(seeds[i], uint16(bucket), entries[i].weight); s > best {
				best, table[bucket] = s, uint16(i)
			}
		}
	}
	return table
}

// highest is the one of the highest score of those that were not tried.
func (t *tier) highest(bucket uint16, tried []*member) (m *member) {
	best := 0.0
	for i := range t.entries {
		e := &t.entries[i]
		if s := score(seed(e.member), bucket, e.weight); s > best && !slices.Contains(tried, e.member) {
			best, m = s, e.member
		}
	}
	return m
}

func seed(m *member) uint64 {
	b := m.address.Addr().As16()
	return xxhash.Sum64(b[:]) + uint64(m.address.Port())
}

// score is a number above 0 by which weights are heeded: the chance to have the
// highest one is in proportion to the weight (Schindelhauer and Schomaker,
// "Weighted Distributed Hash Tables", 2005).
func score(seed uint64, bucket uint16, weight int64) float64 {
	// splitmix64's finish (Steele, Lea and Flood, 2014) spreads each bit over all.
	x := seed + (uint64(bucket)+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	u := (float64(x>>11) + 0.5) / (1 << 53)
	return -float64(weight) / math.Log(u)
}
