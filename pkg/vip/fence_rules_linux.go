package vip

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// What each table of a fence has: the attempts that live, the one that counts,
// and the chain that asks for both.
const (
	armedSet   = "armed"
	onMap      = "on"
	checkChain = "check"
)

const (
	// loopback is LOOPBACK_IFINDEX of net/flow.h: lo in each network namespace.
	loopback = 1

	arpIn  = 0 // NF_ARP_IN and NF_ARP_OUT of linux/netfilter_arp.h
	arpOut = 1

	arpRequest = 1 // RFC 826, ares_op$REQUEST
	arpOp      = 6 // where it is, and sender and target, with six-byte hardware addresses
	arpSender  = 14
	arpTarget  = 24

	// Neighbour Discovery (RFC 4861, sections 4.3 and 4.4).
	solicitation  = 135
	advertisement = 136
	ndTarget      = 8
)

// hooked is a chain at a hook of the kernel; what its rules match is checked.
type hooked struct {
	name    string
	hook    uint32
	matches [][]expr.Any
}

// closed makes the tables of all families anew, with nothing armed or on.
func (f *fences) closed(families []byte, flags uint32) *transaction {
	var t transaction
	for _, family := range families {
		t.removeTable(family, f.name)
		t.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, family,
			textAttr(unix.NFTA_TABLE_NAME, f.name), uint32Attr(unix.NFTA_TABLE_FLAGS, flags))
		t.addSet(family, f.name, armedSet, unix.NFT_SET_TIMEOUT)
		t.addSet(family, f.name, onMap, unix.NFT_SET_MAP)
		t.addChain(family, f.name, checkChain)
		for _, rule := range check() {
			t.addRule(family, f.name, checkChain, rule)
		}
		for _, h := range f.hooks(family) {
			t.addChain(family, f.name, h.name, hook(h.hook), textAttr(unix.NFTA_CHAIN_TYPE, "filter"))
			t.addMatches(family, f.name, h)
		}
	}
	return &t
}

// egress puts an egress chain on l, or its rules anew where there is one: the
// kernel takes the chain away with its interface, and the number may come again.
func (f *fences) egress(l link) *transaction {
	const netdev = unix.NFPROTO_NETDEV
	h := hooked{fmt.Sprintf("egress-%d", l.index), unix.NF_NETDEV_EGRESS, f.announcements()}
	var t transaction
	t.addChain(netdev, f.name, h.name,
		hook(h.hook, textAttr(unix.NFTA_HOOK_DEV, l.name)), textAttr(unix.NFTA_CHAIN_TYPE, "filter"))
	t.add(unix.NFT_MSG_DELRULE, 0, netdev, textAttr(unix.NFTA_RULE_TABLE, f.name), textAttr(unix.NFTA_RULE_CHAIN, h.name))
	t.addMatches(netdev, f.name, h)
	return &t
}

// addMatches sends to the check what h matches.
func (t *transaction) addMatches(family byte, table string, h hooked) {
	for _, m := range h.matches {
		t.addRule(family, table, h.name, join(m, []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: checkChain}}))
	}
}

// check lets pass what is on and armed, and drops the rest. Where nothing is on,
// or what is on has expired, a lookup ends the first rule.
func check() [][]expr.Any {
	return [][]expr.Any{{
		&expr.Immediate{Register: 1, Data: key(0)},
		&expr.Lookup{SourceRegister: 1, DestRegister: 1, IsDestRegSet: true, SetName: onMap},
		&expr.Lookup{SourceRegister: 1, SetName: armedSet},
		&expr.Verdict{Kind: expr.VerdictReturn},
	}, {
		&expr.Verdict{Kind: expr.VerdictDrop},
	}}
}

// hooks are the chains of a family that do not depend on an interface.
func (f *fences) hooks(family byte) []hooked {
	switch {
	case family == unix.NFPROTO_ARP:
		return []hooked{
			// Requests for the VIP, except those that announce it elsewhere.
			{"input", arpIn, [][]expr.Any{join(
				is(header(arpOp, 2), expr.CmpOpEq, 0, arpRequest),
				is(header(arpTarget, 4), expr.CmpOpEq, f.vip.AsSlice()...),
				is(header(arpSender, 4), expr.CmpOpNeq, f.vip.AsSlice()...))}},
			// On whatever interface: Linux answers for all its addresses on each.
			{"output", arpOut, [][]expr.Any{
				is(header(arpSender, 4), expr.CmpOpEq, f.vip.AsSlice()...)}},
		}
	case family == unix.NFPROTO_INET && f.vip.Is4():
		return f.packets(unix.NFPROTO_IPV4, 12, 16)
	case family == unix.NFPROTO_INET:
		chains := f.packets(unix.NFPROTO_IPV6, 8, 24)
		v6 := isMeta(expr.MetaKeyNFPROTO, unix.NFPROTO_IPV6)
		chains[0].matches = append(chains[0].matches, f.neighbour(v6, solicitation))
		chains[1].matches = append(chains[1].matches, f.neighbour(v6, advertisement))
		return chains
	}
	return nil
}

// packets are those to the VIP that this host takes in, and those from it that
// this host makes; not those on lo: local clients are nobody's second owner.
func (f *fences) packets(protocol byte, source, destination uint32) []hooked {
	notLoopback := func(k expr.MetaKey) []expr.Any {
		return is(&expr.Meta{Key: k, Register: 1}, expr.CmpOpNeq, binary.NativeEndian.AppendUint32(nil, loopback)...)
	}
	version := isMeta(expr.MetaKeyNFPROTO, protocol)
	vip, n := f.vip.AsSlice(), uint32(f.vip.BitLen()/8)
	return []hooked{
		{"input", unix.NF_INET_LOCAL_IN, [][]expr.Any{join(
			version, is(header(destination, n), expr.CmpOpEq, vip...), notLoopback(expr.MetaKeyIIF))}},
		{"output", unix.NF_INET_LOCAL_OUT, [][]expr.Any{join(
			version, is(header(source, n), expr.CmpOpEq, vip...), notLoopback(expr.MetaKeyOIF))}},
	}
}

// announcements are what packet sockets send, past the other tables.
func (f *fences) announcements() [][]expr.Any {
	if f.vip.Is6() {
		return [][]expr.Any{f.neighbour(isMeta(expr.MetaKeyPROTOCOL, 0x86, 0xdd), advertisement)} // ETH_P_IPV6
	}
	return [][]expr.Any{join(
		isMeta(expr.MetaKeyPROTOCOL, 0x08, 0x06), // ETH_P_ARP
		is(header(arpSender, 4), expr.CmpOpEq, f.vip.AsSlice()...))}
}

// neighbour matches, beside what says that a packet is IPv6, a message of
// Neighbour Discovery about the VIP.
func (f *fences) neighbour(v6 []expr.Any, kind byte) []expr.Any {
	message := func(offset, n uint32) expr.Any {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: n}
	}
	return join(
		v6, isMeta(expr.MetaKeyL4PROTO, unix.IPPROTO_ICMPV6),
		is(message(0, 1), expr.CmpOpEq, kind),
		is(message(ndTarget, 16), expr.CmpOpEq, f.vip.AsSlice()...))
}

// header loads bytes of the network header.
func header(offset, n uint32) expr.Any {
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: n}
}

// is compares what load loads.
func is(load expr.Any, op expr.CmpOp, data ...byte) []expr.Any {
	return []expr.Any{load, &expr.Cmp{Register: 1, Op: op, Data: data}}
}

// isMeta compares what the kernel knows of a packet.
func isMeta(k expr.MetaKey, data ...byte) []expr.Any {
	return is(&expr.Meta{Key: k, Register: 1}, expr.CmpOpEq, data...)
}

func join(parts ...[]expr.Any) (all []expr.Any) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
