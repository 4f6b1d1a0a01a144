package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// AnswersTable is the name of the nftables table, in family inet, that finds what
// is sent to sockets which speak with clients' addresses.
const AnswersTable = "kshalb-answers"

// AnswersMark is the bit of a packet's mark by which such packets are routed to
// this host. Known users of other bits: kube-proxy 0xc000, Cilium 0x0f00, Calico
// and the mesh VPNs those from 0x10000 up.
const AnswersMark = 0x2000

// KeepAnswers has this host take for its own what is sent to its sockets with
// addresses that it does not have (IP_TRANSPARENT; ip(7)): the answers of a
// backend to which kshalb speaks with a client's address would be forwarded to
// the client otherwise. undo takes all of it away, and may be called again after
// an error.
//
// A rule marks such packets, another one has marked packets looked up in a
// routing table of kshalb's own (AnswersRoutes), and there all addresses are this
// host's. What a killed process left is replaced; what a running one has is an
// error. All is in the network namespace of the calling thread, for IPv4, and for
// IPv6 where that is not switched off.
func KeepAnswers(log *slog.Logger) (undo func() error, err error) {
	s, err := openTableSocket()
	if err != nil {
		return nil, fmt.Errorf("make table inet %s: %w", AnswersTable, explain(err))
	}
	defer func() {
		if err != nil {
			_ = s.CloseLasting()
		}
	}()
	// The table first: its owner is who may touch the rest.
	if err := makeAnswersTable(s); err != nil {
		return nil, fmt.Errorf("make table inet %s: %w", AnswersTable, explainSocket(err))
	}
	undo = func() error {
		if err := removeAnswersRoutes(log, false); err != nil {
			return err
		}
		_ = s.CloseLasting() // and so the table goes, where it has an owner
		return deleteTable(answersTable())
	}
	if err := errors.Join(removeAnswersRoutes(log, true), addAnswersRoutes()); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

func answersTable() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyINet, Name: AnswersTable}
}

// makeAnswersTable makes the table, owned by s where the kernel can, with its
// chain and its rule.
func makeAnswersTable(s *tableSocket) error {
	err := makeOwned(s)
	if errors.Is(err, unix.EEXIST) { // left by a killed process on a kernel without owners
		if err := deleteTable(answersTable()); err != nil {
			return err
		}
		err = makeOwned(s)
	}
	if err != nil {
		return err
	}
	t := answersTable()
	c := s.AddChain(&nftables.Chain{
		Name: "prerouting", Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle,
	})
	s.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: answered()})
	return s.Flush()
}

func makeOwned(s *tableSocket) error {
	err := s.makeTable(AnswersTable, tableOwner)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) { // before 5.12
		err = s.makeTable(AnswersTable, 0)
	}
	return err
}

// answered is
//
//	meta l4proto tcp socket transparent 1 meta mark set meta mark | AnswersMark
//
// Only a socket that somebody made transparent is looked for, and those are of
// processes with CAP_NET_ADMIN on this host.
func answered() []expr.Any {
	word := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Socket{Key: expr.SocketKeyTransparent, Register: 1},
		&expr.Cmp{Register: 1, Op: expr.CmpOpEq, Data: []byte{1}},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		// (mark & ^bit) ^ bit sets it.
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: word(^uint32(AnswersMark)), Xor: word(AnswersMark)},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
	}
}

// explainSocket is explain for what is asked of nf_tables here.
func explainSocket(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%w; the kernel lacks a part of nf_tables (modprobe -a nf_tables nft_socket)", err)
	}
	return explain(err)
}
