package doctor

import (
	"fmt"
	"strings"

	"github.com/google/nftables"
)

// hooks are those that a packet meets which comes to this host.
var hooks = map[nftables.ChainHook]string{
	*nftables.ChainHookPrerouting: "prerouting", *nftables.ChainHookInput: "input",
}

// readTables reads the rule sets of this host that see IP, but for those that are
// kshalb's own.
func readTables() (all []table, err error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	tables, err := conn.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list the tables of nf_tables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list the chains of nf_tables: %w", err)
	}
	for _, of := range tables {
		t := table{name: familyName(of.Family) + " " + of.Name, chains: make(map[string]chain)}
		t.four = of.Family == nftables.TableFamilyIPv4 || of.Family == nftables.TableFamilyINet
		t.six = of.Family == nftables.TableFamilyIPv6 || of.Family == nftables.TableFamilyINet
		if !t.four && !t.six || strings.HasPrefix(of.Name, "kshalb") {
			continue
		}
		for _, c := range chains {
			if c.Table.Name != of.Name || c.Table.Family != of.Family {
				continue
			}
			read, err := readChain(conn, of, c)
			if err != nil {
				return nil, fmt.Errorf("read chain %s of %s: %w", c.Name, t.name, err)
			}
			t.chains[c.Name] = read
		}
		all = append(all, t)
	}
	return all, nil
}

func familyName(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyINet:
		return "inet"
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	default:
		return "another"
	}
}

func readChain(conn *nftables.Conn, t *nftables.Table, c *nftables.Chain) (read chain, err error) {
	read = chain{name: c.Name}
	if c.Hooknum != nil {
		read.base, read.hook = true, hooks[*c.Hooknum]
		read.drops = c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		if c.Type == nftables.ChainTypeNAT { // it sees the first packet only, and changes it
			read.hook = ""
		}
	}
	rules, err := conn.GetRules(t, c)
	if err != nil {
		return read, err
	}
	for _, r := range rules {
		p := parser{sets: func(name string) ([]nftables.SetElement, *nftables.Set) {
			set, err := conn.GetSetByName(t, name)
			if err != nil {
				return nil, nil
			}
			elements, err := conn.GetSetElements(set)
			if err != nil {
				return nil, nil
			}
			return elements, set
		}, loaded: make(map[uint32]load)}
		read.rules = append(read.rules, p.parse(r.Exprs)...)
	}
	return read, nil
}
