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

// bucketOf returns the group of a client: the same one on every node.
func bucketOf(client netip.Addr) uint16 {
	b := sourceOf(client).As16()
	return uint16(xxhash.Sum64(b[:]) % buckets)
}

// rendezvous returns the index of each bucket's entry: the one of the highest
// score (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous",
// 1996). So when one goes its clients alone move, and when one comes only its own
// do. As ln u is below u-1, most scores can't be the highest: only the others are
// reckoned, which takes a fifth of the time with 100 entries.
func rendezvous(entries []entry) []uint16 {
	table := make([]uint16, buckets)
	var best [buckets]float64
	for i := range entries {
		seed, weight := entries[i].seed, float64(entries[i].weight)
		atMost := weight * (1 + 1e-9)
		for bucket := range best {
			u := draw(seed, uint16(bucket))
			if best[bucket]*(1-u) > atMost {
				continue
			}
			if s := score(u, weight); s > best[bucket] {
				best[bucket], table[bucket] = s, uint16(i)
			}
		}
	}
	return table
}

// highest is the one of the highest score of those that were not tried; nil when
// there is none.
func (t *tier) highest(bucket uint16, tried []*member) (m *member) {
	best := 0.0
	for i := range t.entries {
		e := &t.entries[i]
		if s := score(draw(e.seed, bucket), float64(e.weight)); s > best && !slices.Contains(tried, e.member) {
			best, m = s, e.member
		}
	}
	return m
}

// score is a number above 0 such that the chance to have the highest one is in
// proportion to the weight (Schindelhauer and Schomaker, "Weighted Distributed Hash
// Tables", 2005).
func score(u, weight float64) float64 { return -weight / math.Log(u) }

// draw is a number above 0 and below 1, the same one always. splitmix64's finish
// (Steele, Lea and Flood, 2014) spreads each bit over all.
func draw(seed uint64, bucket uint16) float64 {
	x := seed + (uint64(bucket)+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return (float64(int64(x>>12)) + 0.5) / (1 << 52)
}

func seed(of netip.AddrPort) uint64 {
	b := of.Addr().As16()
	return xxhash.Sum64(b[:]) + uint64(of.Port())
}
