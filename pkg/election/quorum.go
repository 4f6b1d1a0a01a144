package election

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
)

// Voter is one member of the set that decides together.
type Voter struct {
	Name    string
	Witness bool // it votes and never holds
}

// majority is how many of n voters it takes that any two such sets share one.
func majority(n int) int { return n/2 + 1 }

// electorate is a set of voters, in the order of the configuration.
type electorate struct {
	voters []Voter
	id     uint64 // the same on all nodes that have the same voters in the same roles
}

func newElectorate(voters []Voter) electorate {
	sorted := slices.SortedFunc(slices.Values(voters), func(a, b Voter) int { return cmp.Compare(a.Name, b.Name) })
	h := fnv.New64a()
	for _, v := range sorted {
		fmt.Fprintf(h, "%q %v\n", v.Name, v.Witness)
	}
	return electorate{slices.Clone(voters), h.Sum64()}
}

// names returns the voters' names in order.
func names(voters []Voter) []string {
	var all []string
	for _, v := range voters {
		all = append(all, v.Name)
	}
	slices.Sort(all)
	return all
}

func (e electorate) has(name string) bool {
	return slices.ContainsFunc(e.voters, func(v Voter) bool { return v.Name == name })
}

// candidates are the nodes that may hold, the one of the highest priority
// first, and in the order of the configuration where that is equal.
func (e electorate) candidates(priorities map[string]int) []string {
	var names []string
	for _, v := range e.voters {
		if !v.Witness {
			names = append(names, v.Name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return priorities[b] - priorities[a] })
	return names
}

// proven returns the newest attempt that a majority stands behind: each voter
// of it has granted that attempt or a later one. It is the k-th newest of what
// the distinct voters have granted, the way a replicated log finds its commit
// index. ok is false without a majority.
func (e electorate) proven(granted map[string]uint64) (attempt uint64, ok bool) {
	attempts := make([]uint64, 0, len(e.voters))
	for _, v := range e.voters {
		if a, has := granted[v.Name]; has {
			attempts = append(attempts, a)
		}
	}
	k := majority(len(e.voters))
	if len(attempts) < k {
		return 0, false
	}
	slices.SortFunc(attempts, func(a, b uint64) int { return cmp.Compare(b, a) })
	return attempts[k-1], true
}

// CheckSuccession returns an error unless the voters may follow those of old
// names: any majority of the one set must share a voter with any majority of
// the other, which is so when they differ by one member at most. Roles and
// order do not matter. No old names are followed by any.
func CheckSuccession(old []string, voters []Voter) error {
	var added, removed []string
	for _, v := range voters {
		if !slices.Contains(old, v.Name) {
			added = append(added, v.Name)
		}
	}
	for _, name := range old {
		if !slices.ContainsFunc(voters, func(v Voter) bool { return v.Name == name }) {
			removed = append(removed, name)
		}
	}
	if len(old) == 0 || len(added)+len(removed) <= 1 {
		return nil
	}
	return fmt.Errorf("voters may change by one at a time, and this adds %q and removes %q", added, removed)
}
