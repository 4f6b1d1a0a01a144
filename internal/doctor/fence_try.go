package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// tryApart tries all of it, with packets on loopback of a namespace that has
// nothing else.
func (f *Fence) tryApart(ctx context.Context) error {
	if err := raise("lo"); err != nil {
		return err
	}
	f.Owner, f.Persist = tryOwner(tableOwner), tryOwner(tableOwner|tablePersist)
	if err := tryEgress(); err != nil {
		f.Egress = err.Error()
	}
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read from
	to := in.LocalAddr().(*net.UDPAddr)
	out, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // it was of use or not
	arm, err := fencePort(uint16(to.Port))
	if err != nil {
		return fmt.Errorf("make a fence: %w", err)
	}
	return f.Timed.try(ctx, arm, func() (bool, error) { return passes(out, in) })
}

// fencePort lets nothing pass in this namespace but UDP packets to a port, for as
// long as its entry in a set lives, which arm puts there.
func fencePort(port uint16) (arm func() (time.Time, error), err error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	drop := nftables.ChainPolicyDrop
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: fenceTable})
	chain := conn.AddChain(&nftables.Chain{
		Table: table, Name: "out", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput,
		Priority: nftables.ChainPriorityFilter, Policy: &drop,
	})
	set := timedSet(table)
	if err := conn.AddSet(set, nil); err != nil {
		return nil, err
	}
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{unix.IPPROTO_UDP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name},
		&expr.Verdict{Kind: expr.VerdictAccept},
	}})
	if err := conn.Flush(); err != nil {
		return nil, err
	}
	return arming(conn, set, port), nil
}

func timedSet(table *nftables.Table) *nftables.Set {
	return &nftables.Set{Table: table, Name: "armed", KeyType: nftables.TypeInetService, HasTimeout: true}
}

// arming puts a port into a set, for fenceTimeout; armed is a time after that began.
func arming(conn *nftables.Conn, set *nftables.Set, port uint16) func() (armed time.Time, err error) {
	return func() (armed time.Time, err error) {
		key := binary.BigEndian.AppendUint16(nil, port)
		if err := conn.SetAddElements(set, []nftables.SetElement{{Key: key, Timeout: fenceTimeout}}); err != nil {
			return armed, err
		}
		err = conn.Flush()
		return time.Now(), err
	}
}

// passes sends a packet and reports whether it arrives. The kernel says at once that
// a filter has dropped what a process of this host sends.
func passes(out, in *net.UDPConn) (bool, error) {
	if _, err := out.Write([]byte("kshalb")); errors.Is(err, unix.EPERM) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := in.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return false, err
	}
	_, err := in.Read(make([]byte, 16))
	return err == nil, err
}

// tryHere watches an entry of a table that no packet meets.
func (f *Fence) tryHere(ctx context.Context) (err error) {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	f.Owner, f.Persist = tryOwner(tableOwner), tryOwner(tableOwner|tablePersist)
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: fenceTable})
	defer func() { err = errors.Join(err, removeTable(table)) }()
	set := timedSet(table)
	if err := conn.AddSet(set, nil); err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("make table inet %s: %w", fenceTable, err)
	}
	return f.Timed.try(ctx, arming(conn, set, 1), func() (bool, error) {
		left, err := conn.GetSetElements(set)
		return len(left) > 0, err
	})
}

func removeTable(table *nftables.Table) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	conn.DelTable(table)
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove table inet %s: %w", table.Name, err)
	}
	return nil
}

// tryEgress puts an egress chain on loopback of this namespace.
func tryEgress() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyNetdev, Name: fenceTable})
	conn.AddChain(&nftables.Chain{
		Table: table, Name: "egress", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookEgress,
		Priority: nftables.ChainPriorityFilter, Device: "lo",
	})
	return conn.Flush()
}
