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
// do.
func rendezvous(entries []entry) []uint16 {
	table := make([]uint16, buckets)
	var best [buckets]float64
	for i := range entries {
		weight := float64(entries[i].weight)
		for bucket, luck := range entries[i].luck {
			if score := weight * luck; score > best[bucket] {
				best[bucket], table[bucket] = score, uint16(i)
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
		if score := float64(e.weight) * e.luck[bucket]; score > best && !slices.Contains(tried, e.member) {
			best, m = score, e.member
		}
	}
	return m
}

// luckOf returns for each bucket a number above 0, the same one always, such that
// the chance to have the highest score, which is luck*weight, is in proportion to the
// weight (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005). It
// is kept (32 KiB) since the logarithms are most of the work.
func luckOf(at netip.AddrPort) []float64 {
	b := at.Addr().As16()
	seed := xxhash.Sum64(b[:]) + uint64(at.Port())
	luck := make([]float64, buckets)
	for bucket := range luck {
		// splitmix64's finish (Steele, Lea and Flood, 2014) spreads each bit over all.
		x := seed + (uint64(bucket)+1)*0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
		u := (float64(x>>12) + 0.5) / (1 << 52) // above 0 and below 1
		luck[bucket] = -1 / math.Log(u)
	}
	return luck
}
