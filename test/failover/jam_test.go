package failover

import (
	be "encoding/binary"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
)

// A node that wins the lease and cannot take the address gives the lease back:
// else it would keep everybody from answering, for ever.
func jammed(s *scene) {
	next := s.Masters[0]
	if next == s.holder {
		next = s.Masters[1]
	}
	release := ownTable(s.T, next.Host, "kshalb_apiserver")
	fault := time.Now()
	must(s.T, s.holder.Kshalb().Stop(s.ctx))
	owner, _ := s.owner(fault, s.holder.Name())
	if owner == next {
		s.Errorf("%s answers, although its table cannot be made", next.Name())
	}
	s.moves(fault)
	release()
	must(s.T, s.holder.Start())
	s.settled(fault)
}

// ownTable makes an nftables table that nobody else can change (the owner flag,
// linux/netfilter/nf_tables.h), until release is called.
func ownTable(t *testing.T, h *lab.Host, name string) (release func()) {
	t.Helper()
	var c *netlink.Conn
	must(t, h.Do(func() (err error) {
		c, err = netlink.Dial(unix.NETLINK_NETFILTER, nil)
		return err
	}))
	const owner = 2
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: append([]byte(name), 0)},
		{Type: unix.NFTA_TABLE_FLAGS, Data: be.BigEndian.AppendUint32(nil, owner)},
	})
	must(t, err)
	message := func(typ netlink.HeaderType, flags netlink.HeaderFlags, family byte, id uint16, attrs []byte) netlink.Message {
		data := be.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, id)
		return netlink.Message{Header: netlink.Header{Type: typ, Flags: netlink.Request | flags}, Data: append(data, attrs...)}
	}
	_, err = c.SendMessages([]netlink.Message{
		message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
		message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Excl|netlink.Acknowledge, unix.NFPROTO_INET, 0, attrs),
		message(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
	})
	must(t, err)
	_, err = c.Receive()
	must(t, err)
	return func() { must(t, c.Close()) }
}
