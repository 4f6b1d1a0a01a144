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

	// socket makes the table and owns it. It is kept for the next taking, since
	// closing it waits for the kernel (synchronize_rcu: 3 to 30 ms measured, a
	// transaction takes less than 1). nil: not open.
	socket *tableSocket
	placed bool // the table is, or may be, there
}

// tableSocket is one netlink socket; raw is for what the library can't say.
type tableSocket struct {
	*nftables.Conn
	raw *netlink.Conn
}

func (r *redirects) table() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: r.name}
}

func (r *redirects) setRedirects(to []Redirect) { r.redirects = to }

// redirect puts the rules in place, in a table that starts empty.
func (r *redirects) redirect(deadline time.Time) error {
	if len(r.redirects) == 0 {
		return nil
	}
	if past(deadline) {
		return errPast
	}
	err := r.makeTable()
	if errors.Is(err, unix.EEXIST) { // left by a killed process on a kernel without owners
		if err := deleteTable(r.table()); err != nil {
			return err
		}
		err = r.makeTable()
	}
	if err != nil {
		r.release()
		return fmt.Errorf("make table inet %s: %w", r.name, explain(err))
	}
	r.placed = true
	return r.addRules(deadline)
}

// addRules ends a transaction of the socket with the rules of now.
func (r *redirects) addRules(deadline time.Time) error {
	for _, hook := range []*nftables.ChainHook{nftables.ChainHookPrerouting, nftables.ChainHookOutput} {
		r.chain(hook)
	}
	if past(deadline) {
		return errPast
	}
	if err := r.socket.Flush(); err != nil {
		return fmt.Errorf("add rules to table inet %s: %w", r.name, explain(err))
	}
	return nil
}

// redirectAnew has other rules in one transaction with the going of those that are
// there, so that nobody comes between them.
func (r *redirects) redirectAnew(to []Redirect, deadline time.Time) error {
	r.redirects = to
	switch {
	case len(to) == 0:
		return r.unredirect()
	case !r.placed || r.socket == nil:
		return errors.Join(r.unredirect(), r.redirect(deadline))
	}
	r.socket.FlushTable(r.table())
	return r.addRules(deadline)
}

// makeTable makes the empty table, with an owner where the kernel can.
func (r *redirects) makeTable() error {
	if r.socket == nil {
		s, err := openTableSocket()
		if err != nil {
			return err
		}
		r.socket = s
	}
	err := r.socket.makeTable(r.name, tableOwner)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) { // before 5.12
		err = r.socket.makeTable(r.name, 0)
	}
	return err
}

func openTableSocket() (*tableSocket, error) {
	var s tableSocket
	keep := func(c *netlink.Conn) error { s.raw = c; return nil }
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(keep))
	s.Conn = conn
	return &s, err
}

// makeTable sends what nftables.Conn.AddTable would, with flags, which that
// always sends as 0: one transaction (begin, new table, end).
func (s *tableSocket) makeTable(name string, flags uint32) error {
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: append([]byte(name), 0)},
		{Type: unix.NFTA_TABLE_FLAGS, Data: binary.BigEndian.AppendUint32(nil, flags)},
	})
	if err != nil {
		return err
	}
	const newTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	_, err = s.raw.SendMessages([]netlink.Message{
		nfMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
		nfMessage(newTable, netlink.Create|netlink.Excl|netlink.Acknowledge, unix.NFPROTO_INET, 0, attrs),
		nfMessage(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
	})
	if err != nil {
		return err
	}
	_, err = s.raw.Receive()
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
func (r *redirects) chain(hook *nftables.ChainHook) {
	t, name := r.table(), "prerouting"
	if hook == nftables.ChainHookOutput {
		name = "output"
	}
	c := r.socket.AddChain(&nftables.Chain{
		Name: name, Table: t, Type: nftables.ChainTypeNAT,
		Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
	})
	for _, to := range r.redirects {
		r.socket.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: dnat(r.vip, to)})
	}
}

// dnat is
//
//	ip daddr VIP tcp dport PORT tcp flags & (fin|syn|rst|ack) == syn fib daddr type local dnat ip to VIP:TO
//
// or the same with ip6.
//
// Without the address on this host the fib matches nothing, so that a table
// that stays behind does nothing. Connections that are there when the table comes
// go on where they are: conntrack, if it begins with the table, takes their next
// packet for the first of a new one (nf_conntrack_tcp_loose).
func dnat(vip netip.Addr, to Redirect) []expr.Any {
	port := func(p uint16) []byte { return binary.BigEndian.AppendUint16(nil, p) }
	equal := func(data []byte) expr.Any { return &expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: data} }
	family, destination := byte(unix.NFPROTO_IPV4), uint32(16)
	if vip.Is6() {
		family, destination = unix.NFPROTO_IPV6, 24
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		equal([]byte{family}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: destination, Len: uint32(vip.BitLen() / 8)},
		equal(vip.AsSlice()),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		equal([]byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		equal(port(to.Port)),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0x17}, Xor: []byte{0}}, // fin, syn, rst, ack
		equal([]byte{0x02}), // syn
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		equal(binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)),
		&expr.Immediate{Register: 1, Data: vip.AsSlice()},
		&expr.Immediate{Register: 2, Data: port(to.To)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(family), RegAddrMin: 1, RegProtoMin: 2, Specified: true},
	}
}

// unredirect removes the table. After an error the socket may still have answers
// to read, so another one is used from then on.
func (r *redirects) unredirect() error {
	if !r.placed {
		return nil
	}
	if r.socket != nil {
		r.socket.DelTable(r.table())
		if r.socket.Flush() == nil {
			r.placed = false
			return nil
		}
		r.release()
	}
	if err := deleteTable(r.table()); err != nil {
		return err
	}
	r.placed = false
	return nil
}

// release closes the socket, and with it goes a table that it owns.
func (r *redirects) release() {
	if r.socket != nil {
		_ = r.socket.CloseLasting()
		r.socket = nil
	}
}

// deleteTable removes t with all that is in it.
func deleteTable(t *nftables.Table) error {
	conn, err := nftables.New()
	if err != nil {
		return explain(err)
	}
	conn.DelTable(t)
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete table %s: %w", tableName(t), explain(err))
	}
	return nil
}

// tableName is how nft names a table of ours.
func tableName(t *nftables.Table) string {
	return map[nftables.TableFamily]string{
		nftables.TableFamilyARP: "arp ", nftables.TableFamilyINet: "inet ", nftables.TableFamilyNetdev: "netdev ",
	}[t.Family] + t.Name
}

// explain adds to an error of nf_tables what to do about it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w; run as root or with CAP_NET_ADMIN, and stop another running kshalb if the table is its own", err)
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
