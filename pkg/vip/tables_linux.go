package vip

import (
	"errors"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// markType is nft's word for a mark, four bytes; it is for those who list.
const markType = 19

// removeTable removes a table that may be missing: what is not there can't be
// removed, so it is added first.
func (t *transaction) removeTable(family byte, name string) {
	t.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, family, textAttr(unix.NFTA_TABLE_NAME, name))
	t.add(unix.NFT_MSG_DELTABLE, 0, family, textAttr(unix.NFTA_TABLE_NAME, name))
}

// addSet adds a set, or map, of marks.
func (t *transaction) addSet(family byte, table, name string, flags uint32) {
	attrs := []*nl.RtAttr{
		textAttr(unix.NFTA_SET_TABLE, table), textAttr(unix.NFTA_SET_NAME, name),
		uint32Attr(unix.NFTA_SET_FLAGS, flags), uint32Attr(unix.NFTA_SET_ID, uint32(len(t.requests))),
		uint32Attr(unix.NFTA_SET_KEY_TYPE, markType), uint32Attr(unix.NFTA_SET_KEY_LEN, 4),
	}
	if flags&unix.NFT_SET_MAP != 0 {
		attrs = append(attrs, uint32Attr(unix.NFTA_SET_DATA_TYPE, markType), uint32Attr(unix.NFTA_SET_DATA_LEN, 4))
	}
	t.add(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE|unix.NLM_F_EXCL, family, attrs...)
}

// addElement adds one element, with a value in a map and a timeout where one is
// given. The kernel counts milliseconds from the moment of this message.
func (t *transaction) addElement(family byte, table, set string, flags int, key, value []byte, timeout time.Duration) {
	data := func(b []byte) *nl.RtAttr { return nl.NewRtAttr(unix.NFTA_DATA_VALUE, b) }
	attrs := []*nl.RtAttr{nested(unix.NFTA_SET_ELEM_KEY, data(key))}
	if value != nil {
		attrs = append(attrs, nested(unix.NFTA_SET_ELEM_DATA, data(value)))
	}
	if timeout > 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.NFTA_SET_ELEM_TIMEOUT, nl.BEUint64Attr(uint64(timeout.Milliseconds()))))
	}
	t.add(unix.NFT_MSG_NEWSETELEM, flags, family,
		textAttr(unix.NFTA_SET_ELEM_LIST_TABLE, table), textAttr(unix.NFTA_SET_ELEM_LIST_SET, set),
		nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, nested(unix.NFTA_LIST_ELEM, attrs...)))
}

// flushSet removes all elements of a set.
func (t *transaction) flushSet(family byte, table, set string) {
	t.add(unix.NFT_MSG_DELSETELEM, 0, family,
		textAttr(unix.NFTA_SET_ELEM_LIST_TABLE, table), textAttr(unix.NFTA_SET_ELEM_LIST_SET, set))
}

func (t *transaction) addChain(family byte, table, name string, base ...*nl.RtAttr) {
	t.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, family,
		append([]*nl.RtAttr{textAttr(unix.NFTA_CHAIN_TABLE, table), textAttr(unix.NFTA_CHAIN_NAME, name)}, base...)...)
}

// hook is where a chain begins, at the priority of ordinary filters: what one
// chain drops, no other brings back.
func hook(number uint32, device ...*nl.RtAttr) *nl.RtAttr {
	return nested(unix.NFTA_CHAIN_HOOK, append([]*nl.RtAttr{
		uint32Attr(unix.NFTA_HOOK_HOOKNUM, number),
		uint32Attr(unix.NFTA_HOOK_PRIORITY, uint32(*nftables.ChainPriorityFilter))}, device...)...)
}

func (t *transaction) addRule(family byte, table, chain string, rule []expr.Any) {
	var list []*nl.RtAttr
	for _, e := range rule {
		b, err := expr.Marshal(family, e)
		t.err = errors.Join(t.err, err)
		list = append(list, nl.NewRtAttr(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, b))
	}
	t.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, family,
		textAttr(unix.NFTA_RULE_TABLE, table), textAttr(unix.NFTA_RULE_CHAIN, chain),
		nested(unix.NFTA_RULE_EXPRESSIONS, list...))
}
