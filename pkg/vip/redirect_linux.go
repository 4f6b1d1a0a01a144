package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// TablePrefix begins the name of each nftables table of ours, in family inet;
// the VIP's name follows. One table for each VIP lets several managers live in
// one network namespace without touching each other's rules.
const TablePrefix = "kshalb_"

// tableOwner is NFT_TABLE_F_OWNER of linux/netfilter/nf_tables.h, since 5.12:
// the table belongs to the socket that made it, nobody else can change or flush
// it, and it goes with the socket, however the process ends.
const tableOwner = 2

// redirects keeps the table of one VIP.
type redirects struct {
	name      string
	vip       netip.Addr
	redirects []Redirect

	conn *nftables.Conn // owns the table while it is there
}

func (r *redirects) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: r.name}
}

// redirect puts the rules in place, in a table that starts empty.
func (r *redirects) redirect(deadline time.Time) error {
	if len(r.redirects) == 0 {
		return nil
	}
	if err := r.unredirect(); err != nil { // what a killed predecessor left on an old kernel
		return err
	}
	if past(deadline) {
		return errPast
	}
	if err := r.open(); err != nil {
		return fmt.Errorf("make table inet %s: %w", r.name, explain(err))
	}
	t := r.table()
	for _, hook := range []*nftables.ChainHook{nftables.ChainHookPrerouting, nftables.ChainHookOutput} {
		r.chain(t, hook)
	}
	if err := r.conn.Flush(); err != nil {
		return fmt.Errorf("add rules to table inet %s: %w", r.name, explain(err))
	}
	return nil
}

// open makes the empty table with a socket that owns it, where the kernel can.
func (r *redirects) open() error {
	var nlconn *netlink.Conn
	keep := func(c *netlink.Conn) error { nlconn = c; return nil }
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(keep))
	if err != nil {
		return err
	}
	r.conn = conn
	err = makeTable(nlconn, r.name, tableOwner)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		err = makeTable(nlconn, r.name, 0) // before 5.12
	}
	return err
}

// makeTable sends what nftables.Conn.AddTable would, with flags, which that
// always sends as 0: one transaction (begin, new table, end).
func makeTable(conn *netlink.Conn, name string, flags uint32) error {
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: append([]byte(name), 0)},
		{Type: unix.NFTA_TABLE_FLAGS, Data: binary.BigEndian.AppendUint32(nil, flags)},
	})
	if err != nil {
		return err
	}
	const newTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	_, err = conn.SendMessages([]netlink.Message{
		nfMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
		nfMessage(newTable, netlink.Create|netlink.Excl|netlink.Acknowledge, unix.NFPROTO_INET, 0, attrs),
		nfMessage(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
	})
	if err != nil {
		return err
	}
	_, err = conn.Receive()
	return err
}

// nfMessage is a message with struct nfgenmsg (linux/netfilter/nfnetlink.h) and attributes.
func nfMessage(typ netlink.HeaderType, flags netlink.HeaderFlags, family byte, res uint16, attrs []byte) netlink.Message {
	data := binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, res)
	return netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | flags},
		Data:   append(data, attrs...),
	}
}

// chain adds a chain at hook with a rule for each redirect.
func (r *redirects) chain(t *nftables.Table, hook *nftables.ChainHook) {
	name := "prerouting"
	if hook == nftables.ChainHookOutput {
		name = "output"
	}
	c := r.conn.AddChain(&nftables.Chain{
		Name: name, Table: t, Type: nftables.ChainTypeNAT,
		Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
	})
	for _, to := range r.redirects {
		r.conn.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: dnat(r.vip, to)})
	}
}

// dnat is
//
//	ip daddr VIP tcp dport PORT fib daddr type local dnat ip to VIP:TO
//
// Without the address on this host the fib matches nothing, so that a table
// that stays behind does nothing.
func dnat(vip netip.Addr, to Redirect) []expr.Any {
	port := func(p uint16) []byte { return binary.BigEndian.AppendUint16(nil, p) }
	equal := func(data []byte) expr.Any { return &expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: data} }
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		equal([]byte{unix.NFPROTO_IPV4}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		equal(vip.AsSlice()),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		equal([]byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		equal(port(to.Port)),
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		equal(binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)),
		&expr.Immediate{Register: 1, Data: vip.AsSlice()},
		&expr.Immediate{Register: 2, Data: port(to.To)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2, Specified: true},
	}
}

// unredirect removes the table. Closing the socket removes one that it owns.
func (r *redirects) unredirect() error {
	if len(r.redirects) == 0 {
		return nil
	}
	if r.conn != nil {
		_ = r.conn.CloseLasting() // what it left is looked for below
		r.conn = nil
	}
	return deleteTable(r.table())
}

// deleteTable removes t with all that is in it.
func deleteTable(t *nftables.Table) error {
	conn, err := nftables.New()
	if err != nil {
		return explain(err)
	}
	conn.DelTable(t)
	err = conn.Flush()
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("delete table inet %s: %w; it belongs to another running kshalb, or CAP_NET_ADMIN is missing", t.Name, err)
	}
	return fmt.Errorf("delete table inet %s: %w", t.Name, explain(err))
}

// explain adds to an error of nf_tables what to do about it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w; run as root or with CAP_NET_ADMIN", err)
	case errors.Is(err, unix.ENOENT), lacksTables(err):
		return fmt.Errorf("%w; the kernel lacks nf_tables or a part of it (modprobe -a nf_tables nft_chain_nat nft_nat nft_fib_inet)", err)
	}
	return err
}

// lacksTables reports whether err is what a kernel without nf_tables says: no
// netfilter sockets, or no such subsystem behind them.
func lacksTables(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)
}
