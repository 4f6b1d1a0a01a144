package fault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Table is the name of the nftables tables of a cut, in families netdev, inet and
// arp.
const Table = "kshalb-drill"

// arpOut is NF_ARP_OUT of linux/netfilter_arp.h.
const arpOut = 1

// chain drops what it meets on the interfaces of the set.
type chain struct {
	family nftables.TableFamily
	name   string
	hook   *nftables.ChainHook
	device string // "" where the hook has none
	key    expr.MetaKey
}

// chains are all that host and interfaces have in common. At ingress and egress
// they see whatever a card does, as a pulled cable would.
func chains(links []net.Interface, egress bool) (all []chain) {
	for _, l := range links {
		all = append(all, chain{nftables.TableFamilyNetdev, "in-" + l.Name, nftables.ChainHookIngress, l.Name, expr.MetaKeyIIF})
		if egress {
			all = append(all, chain{nftables.TableFamilyNetdev, "out-" + l.Name, nftables.ChainHookEgress, l.Name, expr.MetaKeyOIF})
		}
	}
	if egress {
		return all
	}
	return append(all,
		chain{nftables.TableFamilyINet, "out", nftables.ChainHookPostrouting, "", expr.MetaKeyOIF},
		chain{nftables.TableFamilyARP, "out", nftables.ChainHookRef(arpOut), "", expr.MetaKeyOIF})
}

// commit adds the tables in one transaction, in place of any of their name. The
// elements of their sets live for hold; with 0 the same transaction removes the
// tables, so that the kernel's verdict is all that remains.
func commit(links []net.Interface, egress bool, hold time.Duration) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	sets := make(map[nftables.TableFamily]*nftables.Set)
	for _, c := range chains(links, egress) {
		if sets[c.family] == nil {
			if sets[c.family], err = addSet(conn, c.family, links, hold); err != nil {
				return err
			}
		}
		c.add(conn, sets[c.family])
	}
	for _, s := range sets {
		if hold == 0 {
			conn.DelTable(s.Table)
		}
	}
	return conn.Flush()
}

// addSet adds a table and its set, with the interfaces as elements that the kernel
// ends.
func addSet(conn *nftables.Conn, family nftables.TableFamily, links []net.Interface, hold time.Duration) (*nftables.Set, error) {
	table := &nftables.Table{Family: family, Name: Table}
	conn.AddTable(table) // what is not there can't be removed
	conn.DelTable(table)
	conn.AddTable(table)
	set := &nftables.Set{Table: table, Name: "cut", KeyType: nftables.TypeIFIndex, HasTimeout: true}
	var elements []nftables.SetElement
	for _, l := range links {
		if hold > 0 { // the kernel would take 0 for ever
			elements = append(elements, nftables.SetElement{Key: binary.NativeEndian.AppendUint32(nil, uint32(l.Index)), Timeout: hold})
		}
	}
	return set, conn.AddSet(set, elements)
}

func (c chain) add(conn *nftables.Conn, set *nftables.Set) {
	at := conn.AddChain(&nftables.Chain{
		Table: set.Table, Name: c.name, Type: nftables.ChainTypeFilter,
		Hooknum: c.hook, Priority: nftables.ChainPriorityRaw, Device: c.device,
	})
	conn.AddRule(&nftables.Rule{Table: set.Table, Chain: at, Exprs: []expr.Any{
		&expr.Meta{Key: c.key, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
}

// removeTables removes the tables that there are, and counts them.
func removeTables() (removed int, err error) {
	conn, err := nftables.New()
	if err != nil {
		return 0, fmt.Errorf("list tables: %w", err)
	}
	all, err := conn.ListTables()
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return 0, nil // who may not, or without nf_tables, has made none
	case err != nil:
		return 0, fmt.Errorf("list tables: %w", err)
	}
	for _, t := range all {
		if t.Name == Table {
			conn.DelTable(t)
			removed++
		}
	}
	if removed == 0 {
		return 0, nil
	}
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return 0, fmt.Errorf("remove tables %s: %w; they drop nothing after their time, and `kshalb cleanup` removes them", Table, err)
	}
	return removed, nil
}
