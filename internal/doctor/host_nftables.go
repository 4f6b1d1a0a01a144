package doctor

import (
	"encoding/binary"
	"strings"

	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// NFT_TABLE_F_OWNER and NFT_TABLE_F_PERSIST of linux/netfilter/nf_tables.h.
const (
	tableOwner   = 2
	tablePersist = 4
)

// tryOwner reports whether the kernel takes a table with flags. The nftables library
// cannot say them.
func tryOwner(flags uint32) bool {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // and with it the table goes, unless it stays
	name := netlink.Attribute{Type: unix.NFTA_TABLE_NAME, Data: []byte(fenceTable + "-owner\x00")}
	made := transact(conn, unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Excl,
		name, netlink.Attribute{Type: unix.NFTA_TABLE_FLAGS, Data: binary.BigEndian.AppendUint32(nil, flags)})
	if made == nil {
		made = transact(conn, unix.NFT_MSG_DELTABLE, 0, name)
	}
	return made == nil
}

// verdictIn is the verdict of a map's element (NFTA_DATA_VERDICT,
// linux/netfilter/nf_tables.h), which the nftables library leaves as it is.
func verdictIn(data []byte) (*expr.Verdict, bool) {
	attrs, err := netlink.UnmarshalAttributes(data)
	if err != nil {
		return nil, false
	}
	var v expr.Verdict
	var ok bool
	for _, a := range attrs {
		switch {
		case a.Type == unix.NFTA_VERDICT_CODE && len(a.Data) == 4:
			v.Kind, ok = expr.VerdictKind(int32(binary.BigEndian.Uint32(a.Data))), true
		case a.Type == unix.NFTA_VERDICT_CHAIN:
			v.Chain = strings.TrimRight(string(a.Data), "\x00")
		}
	}
	return &v, ok
}

// transact sends one message about a table of family inet as a transaction.
func transact(conn *netlink.Conn, kind int, flags netlink.HeaderFlags, attrs ...netlink.Attribute) error {
	body, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		return err
	}
	const tables = unix.NFNL_SUBSYS_NFTABLES
	_, err = conn.SendMessages([]netlink.Message{
		nfMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, tables, nil),
		nfMessage(netlink.HeaderType(tables<<8|kind), flags|netlink.Acknowledge, unix.NFPROTO_INET, 0, body),
		nfMessage(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, tables, nil),
	})
	if err == nil {
		_, err = conn.Receive()
	}
	return err
}

// nfMessage is a message with struct nfgenmsg (linux/netfilter/nfnetlink.h) and
// attributes.
func nfMessage(kind netlink.HeaderType, flags netlink.HeaderFlags, family byte, resource uint16, attrs []byte) netlink.Message {
	data := binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
	return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | flags}, Data: append(data, attrs...)}
}
