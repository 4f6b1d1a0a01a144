package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// transaction is a list of nf_tables messages (linux/netfilter/nf_tables.h) of
// which the kernel does all at one moment, or none. The nftables library can't
// say some of them, and asks for an acknowledgement of each, so that a long list
// may end in "no buffer space available" after it has been done.
type transaction struct {
	requests []*nl.NetlinkRequest
	err      error // of what could not be said
}

// add appends one message about something in a table of family.
func (t *transaction) add(kind, flags int, family byte, attrs ...*nl.RtAttr) {
	t.addTo(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, generic{family: family}, attrs...)
}

func (t *transaction) addTo(kind, flags int, g generic, attrs ...*nl.RtAttr) {
	req := nl.NewNetlinkRequest(kind, flags)
	req.AddData(g)
	for _, a := range attrs {
		req.AddData(a)
	}
	t.requests = append(t.requests, req)
}

// generic is struct nfgenmsg of linux/netfilter/nfnetlink.h.
type generic struct {
	family   byte
	resource uint16
}

// Len is for the request that carries it.
func (generic) Len() int { return 4 }

// Serialize is for the request that carries it.
func (g generic) Serialize() []byte {
	return binary.BigEndian.AppendUint16([]byte{g.family, unix.NFNETLINK_V0}, g.resource)
}

func textAttr(kind int, s string) *nl.RtAttr { return nl.NewRtAttr(kind, nl.ZeroTerminated(s)) }

func uint32Attr(kind int, v uint32) *nl.RtAttr { return nl.NewRtAttr(kind, nl.BEUint32Attr(v)) }

func nested(kind int, attrs ...*nl.RtAttr) *nl.RtAttr {
	n := nl.NewRtAttr(kind|unix.NLA_F_NESTED, nil)
	for _, a := range attrs {
		n.AddChild(a)
	}
	return n
}

// filterSocket is a netlink socket for transactions. What it makes with an owner
// is its own. It needs a lock around its use.
type filterSocket struct{ fd int }

func dialFilter() (filter, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		// An error without the message that it is about, which may be a long one.
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1))
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &filterSocket{fd}, nil
}

func (s *filterSocket) hangUp() { _ = unix.Close(s.fd) }

// commit sends t. Only the last message asks for an acknowledgement; each that
// fails is told without.
func (s *filterSocket) commit(t *transaction) error {
	if t.err != nil {
		return t.err
	}
	var all transaction
	all.addTo(unix.NFNL_MSG_BATCH_BEGIN, 0, generic{resource: unix.NFNL_SUBSYS_NFTABLES})
	all.requests = append(all.requests, t.requests...)
	last := all.requests[len(all.requests)-1]
	last.Flags |= unix.NLM_F_ACK
	all.addTo(unix.NFNL_MSG_BATCH_END, 0, generic{resource: unix.NFNL_SUBSYS_NFTABLES})
	var wire []byte
	for _, r := range all.requests {
		wire = append(wire, r.Serialize()...)
	}
	if err := unix.Sendto(s.fd, wire, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send to nf_tables: %w", err)
	}
	return s.answers(last.Seq)
}

// errSilent says that the kernel has not answered; it always does.
var errSilent = errors.New("nf_tables has not acknowledged it")

// answers reads what the kernel has said to a transaction. It works within
// sendmsg (net/netfilter/nfnetlink.c, nfnetlink_rcv_batch), so all is there, and
// nothing is left for the next one.
func (s *filterSocket) answers(last uint32) error {
	var first error
	acknowledged := false
	buf := make([]byte, unix.Getpagesize())
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if first == nil && !acknowledged {
				return errSilent
			}
			return first
		case errors.Is(err, unix.ENOBUFS): // answers were lost, this is told once
			first = err
		case err != nil:
			return fmt.Errorf("read the answer of nf_tables: %w", err)
		default:
			ack, refused := parseAnswers(buf[:n], last)
			acknowledged = acknowledged || ack
			if first == nil {
				first = refused
			}
		}
	}
}

// parseAnswers returns whether the message with the sequence number last has been
// acknowledged, and the first error among the answers in b.
func parseAnswers(b []byte, last uint32) (acknowledged bool, refused error) {
	msgs, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return false, fmt.Errorf("parse the answer of nf_tables: %w", err)
	}
	for _, m := range msgs {
		if m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
			continue
		}
		switch code := int32(binary.NativeEndian.Uint32(m.Data)); {
		case code == 0:
			acknowledged = acknowledged || m.Header.Seq == last
		case refused == nil:
			refused = unix.Errno(-code)
		}
	}
	return acknowledged, refused
}
