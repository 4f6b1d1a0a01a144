package vip

import (
	"errors"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// datatype is nft's word for a kind of data (nft's include/datatype.h); it is for
// those who list.
type datatype struct{ kind, size uint32 }

var (
	ipv4Address = datatype{7, 4}
	ipv6Address = datatype{8, 16}
	mark        = datatype{19, 4}
)

// set is a set, or a map to marks; a key of several parts has each in 32-bit
// registers of its own.
type set struct {
	name  string
	key   []datatype
	flags uint32
}

// concatBits is how far the kinds of a key of several parts are apart
// (nft's include/datatype.h, TYPE_BITS).
const concatBits = 6

// removeTable removes a table of a fence that may be missing: what is not there
// can't be removed, so it is added first.
func (t *transaction) removeTable(family byte) {
	t.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, family, textAttr(unix.NFTA_TABLE_NAME, FencePrefix))
	t.add(unix.NFT_MSG_DELTABLE, 0, family, textAttr(unix.NFTA_TABLE_NAME, FencePrefix))
}

func (t *transaction) addSet(family byte, s set) {
	var kind, size uint32
	for _, k := range s.key {
		kind, size = kind<<concatBits|k.kind, size+k.size
	}
	attrs := []*nl.RtAttr{
		textAttr(unix.NFTA_SET_TABLE, FencePrefix), textAttr(unix.NFTA_SET_NAME, s.name),
		uint32Attr(unix.NFTA_SET_FLAGS, s.flags), uint32Attr(unix.NFTA_SET_ID, uint32(len(t.requests))),
		uint32Attr(unix.NFTA_SET_KEY_TYPE, kind), uint32Attr(unix.NFTA_SET_KEY_LEN, size),
	}
	if s.flags&unix.NFT_SET_MAP != 0 {
		attrs = append(attrs, uint32Attr(unix.NFTA_SET_DATA_TYPE, mark.kind), uint32Attr(unix.NFTA_SET_DATA_LEN, mark.size))
	}
	t.add(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE|unix.NLM_F_EXCL, family, attrs...)
}

// element is one of a set: with a value in a map, and with a timeout where it
// has one. The kernel counts milliseconds from the moment of the message.
type element struct {
	key, value []byte
	timeout    time.Duration
}

func (e element) attr() *nl.RtAttr {
	data := func(b []byte) *nl.RtAttr { return nl.NewRtAttr(unix.NFTA_DATA_VALUE, b) }
	attrs := []*nl.RtAttr{nested(unix.NFTA_SET_ELEM_KEY, data(e.key))}
	if e.value != nil {
		attrs = append(attrs, nested(unix.NFTA_SET_ELEM_DATA, data(e.value)))
	}
	if e.timeout > 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.NFTA_SET_ELEM_TIMEOUT, nl.BEUint64Attr(uint64(e.timeout.Milliseconds()))))
	}
	return nested(unix.NFTA_LIST_ELEM, attrs...)
}

// addElements adds elements in one message: one answer when it fails.
func (t *transaction) addElements(family byte, set string, flags int, all []element) {
	list := make([]*nl.RtAttr, len(all))
	for i, e := range all {
		list[i] = e.attr()
	}
	t.add(unix.NFT_MSG_NEWSETELEM, flags, family,
		textAttr(unix.NFTA_SET_ELEM_LIST_TABLE, FencePrefix), textAttr(unix.NFTA_SET_ELEM_LIST_SET, set),
		nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, list...))
}

// flushSet removes all elements of a set.
func (t *transaction) flushSet(family byte, set string) {
	t.add(unix.NFT_MSG_DELSETELEM, 0, family,
		textAttr(unix.NFTA_SET_ELEM_LIST_TABLE, FencePrefix), textAttr(unix.NFTA_SET_ELEM_LIST_SET, set))
}

func (t *transaction) addChain(family byte, name string, base ...*nl.RtAttr) {
	t.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, family,
		append([]*nl.RtAttr{textAttr(unix.NFTA_CHAIN_TABLE, FencePrefix), textAttr(unix.NFTA_CHAIN_NAME, name)}, base...)...)
}

// hook is where a chain begins, at the priority of ordinary filters: what one
// chain drops, no other brings back.
func hook(number uint32, device ...*nl.RtAttr) *nl.RtAttr {
	return nested(unix.NFTA_CHAIN_HOOK, append([]*nl.RtAttr{
		uint32Attr(unix.NFTA_HOOK_HOOKNUM, number),
		uint32Attr(unix.NFTA_HOOK_PRIORITY, uint32(*nftables.ChainPriorityFilter))}, device...)...)
}

func (t *transaction) addRule(family byte, chain string, rule []expr.Any) {
	var list []*nl.RtAttr
	for _, e := range rule {
		b, err := expr.Marshal(family, e)
		t.err = errors.Join(t.err, err)
		list = append(list, nl.NewRtAttr(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, b))
	}
	t.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, family,
		textAttr(unix.NFTA_RULE_TABLE, FencePrefix), textAttr(unix.NFTA_RULE_CHAIN, chain),
		nested(unix.NFTA_RULE_EXPRESSIONS, list...))
}
