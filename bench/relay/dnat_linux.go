package main

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
)

// dnat is the kernel alone: what comes to the balancer's ports goes to the
// server, and as if from the balancer, so that the answers come back through it.
func dnat() candidate {
	start := func(b *bed) (*lab.Process, func() error, error) {
		if err := b.balancer.Do(func() error { return addDNAT(b.server.Addr(), b.ports()) }); err != nil {
			return nil, nil, fmt.Errorf("add the rules: %w", err)
		}
		stop := func() error { return b.balancer.Do(removeDNAT) }
		return nil, stop, nil
	}
	return candidate{name: nameDNAT, version: "nftables dnat and masquerade", start: start}
}

const dnatTable = "bench"

func addDNAT(to netip.Addr, ports []uint16) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: dnatTable})
	in := c.AddChain(&nftables.Chain{
		Table: table, Name: "prerouting", Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	for _, port := range ports {
		c.AddRule(&nftables.Rule{Table: table, Chain: in, Exprs: []expr.Any{
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{byte(port >> 8), byte(port)}},
			&expr.Immediate{Register: 1, Data: to.AsSlice()},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
		}})
	}
	out := c.AddChain(&nftables.Chain{
		Table: table, Name: "postrouting", Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: out, Exprs: []expr.Any{&expr.Masq{}}})
	return c.Flush()
}

// removeDNAT takes the whole table away, and connection tracking with it: the
// kernel tracks only where a rule needs it.
func removeDNAT() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	c.DelTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: dnatTable})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("remove the rules: %w", err)
	}
	return nil
}
