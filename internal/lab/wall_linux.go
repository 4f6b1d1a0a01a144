package lab

import (
	"fmt"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// wall drops frames between pairs of the switch's ports, one direction at a
// time, by an nftables table in family bridge.
type wall struct {
	ns *namespace

	mu    sync.Mutex
	drops map[[2]string]bool // from, to
}

// set changes what is dropped on all paths at one moment.
func (w *wall) set(paths []Path, drop bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.drops == nil {
		w.drops = make(map[[2]string]bool)
	}
	for _, p := range paths {
		pair := [2]string{p.From.port.Attrs().Name, p.To.port.Attrs().Name}
		if drop {
			w.drops[pair] = true
		} else {
			delete(w.drops, pair)
		}
	}
	if err := w.write(); err != nil {
		return fmt.Errorf("filter frames on the bridge: %w; the kernel needs nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE)", err)
	}
	return nil
}

// write replaces the whole table in one batch.
func (w *wall) write() error {
	conn, err := nftables.New(nftables.WithNetNSFd(int(w.ns.fd)))
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: nftables.TableFamilyBridge, Name: "wall"}
	conn.AddTable(table) // so that the deletion finds one
	conn.DelTable(table)
	conn.AddTable(table)
	chain := conn.AddChain(&nftables.Chain{
		Table: table, Name: "forward", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	for pair := range w.drops {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: ifname(pair[0])},
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: ifname(pair[1])},
			&expr.Verdict{Kind: expr.VerdictDrop},
		}})
	}
	return conn.Flush()
}

// ifname is a name as nftables compares it: IFNAMSIZ bytes, padded with zeros.
func ifname(name string) []byte {
	b := make([]byte, 16)
	copy(b, name)
	return b
}
