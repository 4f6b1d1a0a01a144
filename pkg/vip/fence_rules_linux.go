package vip

import (
	"encoding/binary"
	"slices"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// What each table of a fence has: the VIPs and their numbers, the attempts that
// live, the one of each VIP that counts; and, in family arp, each IPv4 VIP twice,
// as sender and target of what announces it.
const (
	vips4Map     = "vips4"
	vips6Map     = "vips6"
	announcedSet = "announced"
	armedSet     = "armed"
	onMap        = "on"
)

// Registers. A 32-bit one after another is a key of two parts. A rule can't use
// what another rule has loaded: the kernel refuses it.
const (
	addressReg = 1                     // NFT_REG_1, 16 bytes
	vipReg     = unix.NFT_REG32_00 + 4 // the number of the VIP
	attemptReg = vipReg + 1            // what is on for it
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

// guarded is a kind of packet that may speak for a VIP: what makes it one, and
// where in it the address is. Its chain of this name, one in a table, is asked
// about each packet whose address is a VIP's.
type guarded struct {
	name    string
	match   []expr.Any
	address expr.Payload
	vips    string       // the map that tells the number of the VIP
	passes  [][]expr.Any // what passes all the same
}

// hooked is a chain at a hook of the kernel.
type hooked struct {
	name  string
	hook  uint32
	kinds []guarded
}

// closed makes the tables of all families anew, with nothing armed or on.
func (f *fences) closed(families []byte, flags uint32) *transaction {
	var t transaction
	for _, family := range families {
		t.removeTable(family)
		t.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, family,
			textAttr(unix.NFTA_TABLE_NAME, FencePrefix), uint32Attr(unix.NFTA_TABLE_FLAGS, flags))
		f.addSets(&t, family)
		if family == unix.NFPROTO_NETDEV {
			t.addKinds(family, f.announcements())
		}
		for _, h := range f.hooks(family) {
			t.addKinds(family, h.kinds)
			t.addChain(family, h.name, hook(h.hook), textAttr(unix.NFTA_CHAIN_TYPE, "filter"))
			for _, g := range h.kinds {
				t.addRule(family, h.name, g.asked())
			}
		}
	}
	return &t
}

// addSets adds the sets of a table, and what never changes in them.
func (f *fences) addSets(t *transaction, family byte) {
	t.addSet(family, set{name: armedSet, key: []datatype{mark, mark}, flags: unix.NFT_SET_TIMEOUT})
	t.addSet(family, set{name: onMap, key: []datatype{mark}, flags: unix.NFT_SET_MAP})
	for _, v := range f.versions() {
		t.addSet(family, set{name: v.vips, key: []datatype{v.address}, flags: unix.NFT_SET_MAP})
		t.addElements(family, v.vips, unix.NLM_F_CREATE, v.numbered)
		if family == unix.NFPROTO_ARP && v.vips == vips4Map {
			t.addSet(family, set{name: announcedSet, key: []datatype{ipv4Address, ipv4Address}})
			t.addElements(family, announcedSet, unix.NLM_F_CREATE, v.twice)
		}
	}
}

// version is one version of IP, and the VIPs of it.
type version struct {
	vips     string // the name of their map
	address  datatype
	family   byte   // as the kernel knows it
	protocol uint16 // as links know it
	size     uint32 // of an address in bytes
	source   uint32 // where it is in a packet
	numbered []element
	twice    []element
}

// versions are those that a VIP has; others cost no rule.
func (f *fences) versions() []version {
	four := version{vips: vips4Map, address: ipv4Address, family: unix.NFPROTO_IPV4, protocol: unix.ETH_P_IP, size: 4, source: 12}
	six := version{vips: vips6Map, address: ipv6Address, family: unix.NFPROTO_IPV6, protocol: unix.ETH_P_IPV6, size: 16, source: 8}
	for i, vip := range f.vips {
		v := &four
		if vip.Is6() {
			v = &six
		}
		v.numbered = append(v.numbered, element{key: vip.AsSlice(), value: number(uint32(i))})
		v.twice = append(v.twice, element{key: slices.Concat(vip.AsSlice(), vip.AsSlice())})
	}
	return slices.DeleteFunc([]version{four, six}, func(v version) bool { return len(v.numbered) == 0 })
}

// addKinds adds the chains that are asked: they let pass what is on and armed,
// and drop the rest. Where nothing is on, or what is on has expired, a lookup ends
// the rule before the last.
func (t *transaction) addKinds(family byte, kinds []guarded) {
	for _, g := range kinds {
		t.addChain(family, g.name)
		for _, rule := range g.passes {
			t.addRule(family, g.name, append(rule, &expr.Verdict{Kind: expr.VerdictReturn}))
		}
		t.addRule(family, g.name, append(g.number(),
			&expr.Lookup{SourceRegister: vipReg, DestRegister: attemptReg, IsDestRegSet: true, SetName: onMap},
			&expr.Lookup{SourceRegister: vipReg, SetName: armedSet},
			&expr.Verdict{Kind: expr.VerdictReturn}))
		t.addRule(family, g.name, []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}})
	}
}

// asked is the rule that asks the chain of g about what g is.
func (g guarded) asked() []expr.Any {
	return join(g.match, g.number(), []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: g.name}})
}

// number loads the number of the VIP; a packet of no VIP does not match.
func (g guarded) number() []expr.Any {
	address := g.address
	address.DestRegister = addressReg
	return []expr.Any{
		&address,
		&expr.Lookup{SourceRegister: addressReg, DestRegister: vipReg, IsDestRegSet: true, SetName: g.vips},
	}
}

// hooks are the chains of a family that do not depend on an interface.
func (f *fences) hooks(family byte) []hooked {
	switch family {
	case unix.NFPROTO_ARP:
		return arpHooks()
	case unix.NFPROTO_INET:
		in, out := hooked{name: "input", hook: unix.NF_INET_LOCAL_IN}, hooked{name: "output", hook: unix.NF_INET_LOCAL_OUT}
		for _, v := range f.versions() {
			v.packets(&in, &out)
		}
		return []hooked{in, out}
	}
	return nil
}

func arpHooks() []hooked {
	// What announces a VIP elsewhere has it as sender and target.
	announced := []expr.Any{
		load(network(arpSender, 4), vipReg), load(network(arpTarget, 4), vipReg+1),
		&expr.Lookup{SourceRegister: vipReg, SetName: announcedSet},
	}
	return []hooked{
		{"input", arpIn, []guarded{{
			name: "requests", match: is(load(network(arpOp, 2), addressReg), expr.CmpOpEq, 0, arpRequest),
			address: network(arpTarget, 4), vips: vips4Map, passes: [][]expr.Any{announced},
		}}},
		// On whatever interface: Linux answers for all its addresses on each.
		{"output", arpOut, []guarded{{name: "replies", address: network(arpSender, 4), vips: vips4Map}}},
	}
}

// packets are those to a VIP that this host takes in, and those from one that
// this host makes; not those on lo: local clients are nobody's second owner.
func (v version) packets(in, out *hooked) {
	match := func(k expr.MetaKey) []expr.Any {
		return join(isMeta(expr.MetaKeyNFPROTO, v.family),
			is(&expr.Meta{Key: k, Register: 1}, expr.CmpOpNeq, number(loopback)...))
	}
	in.kinds = append(in.kinds, guarded{
		name: "to-" + v.vips, match: match(expr.MetaKeyIIF), address: network(v.source+v.size, v.size), vips: v.vips})
	out.kinds = append(out.kinds, guarded{
		name: "from-" + v.vips, match: match(expr.MetaKeyOIF), address: network(v.source, v.size), vips: v.vips})
	if v.family == unix.NFPROTO_IPV6 {
		v6 := isMeta(expr.MetaKeyNFPROTO, v.family)
		in.kinds = append(in.kinds, neighbour("solicitations", v6, solicitation))
		out.kinds = append(out.kinds, neighbour("advertisements", v6, advertisement))
	}
}

// announcements are what packet sockets send, past the other tables.
func (f *fences) announcements() (all []guarded) {
	for _, v := range f.versions() {
		if v.family == unix.NFPROTO_IPV6 {
			all = append(all, neighbour("advertisements", isMeta(expr.MetaKeyPROTOCOL, be(v.protocol)...), advertisement))
			continue
		}
		all = append(all, guarded{name: "arp", match: isMeta(expr.MetaKeyPROTOCOL, be(unix.ETH_P_ARP)...),
			address: network(arpSender, 4), vips: v.vips})
	}
	return all
}

// neighbour is, beside what says that a packet is IPv6, a message of Neighbour
// Discovery about an address.
func neighbour(name string, v6 []expr.Any, kind byte) guarded {
	message := func(offset, n uint32) expr.Payload {
		return expr.Payload{Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: n}
	}
	return guarded{
		name: name,
		match: join(v6, isMeta(expr.MetaKeyL4PROTO, unix.IPPROTO_ICMPV6),
			is(load(message(0, 1), addressReg), expr.CmpOpEq, kind)),
		address: message(ndTarget, 16), vips: vips6Map,
	}
}

// network is a part of the network header.
func network(offset, n uint32) expr.Payload {
	return expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: n}
}

func load(p expr.Payload, register uint32) expr.Any {
	p.DestRegister = register
	return &p
}

// is compares what load loads into the first register.
func is(load expr.Any, op expr.CmpOp, data ...byte) []expr.Any {
	return []expr.Any{load, &expr.Cmp{Register: 1, Op: op, Data: data}}
}

// isMeta compares what the kernel knows of a packet.
func isMeta(k expr.MetaKey, data ...byte) []expr.Any {
	return is(&expr.Meta{Key: k, Register: 1}, expr.CmpOpEq, data...)
}

func be(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func join(parts ...[]expr.Any) (all []expr.Any) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
