package importer

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// fillIn puts the address into steps of files that did not tell it.
func fillIn(steps []string, vip netip.Addr) {
	beforePort := strings.TrimSuffix(netip.AddrPortFrom(vip, 0).String(), "0") // an IPv6 one in brackets
	for i, s := range steps {
		s = strings.ReplaceAll(s, plan.SomeVIP+":", beforePort)
		steps[i] = strings.ReplaceAll(s, plan.SomeVIP, vip.String())
	}
}

// tellMoved says of the steps that they name an address in whose place another one
// is: those that take the old one away are right, those that set it are not.
func tellMoved(j *plan.Plan, moved map[netip.Addr]netip.Addr) {
	for _, old := range slices.SortedFunc(maps.Keys(moved), netip.Addr.Compare) {
		if slices.ContainsFunc(j.Steps, func(s string) bool { return strings.Contains(s, old.String()) }) {
			j.Steps = slices.Insert(j.Steps, 0, fmt.Sprintf("Where something is to be set to %s below, set it to %s.", old, moved[old]))
		}
	}
}
