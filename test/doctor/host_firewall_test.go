package doctor

import (
	"fmt"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

// filter loads a table inet filter with a chain input on a host.
func filter(t *testing.T, h *lab.Host, policy nftables.ChainPolicy, load func(c *nftables.Conn, chain *nftables.Chain)) {
	t.Helper()
	must(t, h.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "filter"})
		chain := c.AddChain(&nftables.Chain{Table: table, Name: "input", Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &policy})
		load(c, chain)
		return c.Flush()
	}))
}

func state(key uint32) []byte { return binaryutil.NativeEndian.PutUint32(key) }

// ports is `PROTO dport {PORTS} VERDICT`.
func ports(t *testing.T, c *nftables.Conn, chain *nftables.Chain, proto byte, kind expr.VerdictKind, all ...uint16) {
	t.Helper()
	set := &nftables.Set{Table: chain.Table, Anonymous: true, Constant: true, KeyType: nftables.TypeInetService}
	var elements []nftables.SetElement
	for _, p := range all {
		elements = append(elements, nftables.SetElement{Key: []byte{byte(p >> 8), byte(p)}})
	}
	must(t, c.AddSet(set, elements))
	c.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
		&expr.Counter{}, &expr.Verdict{Kind: kind},
	}})
}

// states is `ct state vmap {established: accept, related: accept, invalid: drop}`, or
// without the last.
func states(t *testing.T, c *nftables.Conn, chain *nftables.Chain, dropInvalid bool) {
	t.Helper()
	set := &nftables.Set{Table: chain.Table, Anonymous: true, Constant: true, IsMap: true, KeyType: nftables.TypeCTState, DataType: nftables.TypeVerdict}
	accept, drop := &expr.Verdict{Kind: expr.VerdictAccept}, &expr.Verdict{Kind: expr.VerdictDrop}
	elements := []nftables.SetElement{{Key: state(1 << 1), VerdictData: accept}, {Key: state(1 << 2), VerdictData: accept}}
	if dropInvalid {
		elements = append(elements, nftables.SetElement{Key: state(1 << 0), VerdictData: drop})
	}
	must(t, c.AddSet(set, elements))
	c.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID, IsDestRegSet: true, DestRegister: unix.NFT_REG_VERDICT},
	}})
}

// TestHostFirewall: what a packet filter holds back is found, and one that lets in
// all that is needed is not complained about.
func TestHostFirewall(t *testing.T) {
	t.Parallel()
	const private = 26443
	w := newWard(t, cluster.Options{})
	filter(t, w.Masters[0].Host, nftables.ChainPolicyDrop, func(c *nftables.Conn, chain *nftables.Chain) { // as for kubeadm alone
		states(t, c, chain, false)
		ports(t, c, chain, unix.IPPROTO_TCP, expr.VerdictAccept, 22, 6443, 10250)
	})
	filter(t, w.Masters[1].Host, nftables.ChainPolicyDrop, func(c *nftables.Conn, chain *nftables.Chain) { // as it should be
		states(t, c, chain, false)
		ports(t, c, chain, unix.IPPROTO_TCP, expr.VerdictAccept, 22, 6443, private, 7946)
		ports(t, c, chain, unix.IPPROTO_UDP, expr.VerdictAccept, 7946)
	})
	filter(t, w.Masters[2].Host, nftables.ChainPolicyAccept, func(c *nftables.Conn, chain *nftables.Chain) {
		states(t, c, chain, true)
		ports(t, c, chain, unix.IPPROTO_TCP, expr.VerdictDrop, 6443)
	})
	found := w.judgeOf("firewall")
	w.expect(found,
		fmt.Sprintf("fault firewall master1: tcp port %d (clients of listener apiserver, redirected to its private port), tcp port 7946 (gossip), udp port 7946 (gossip)", private),
		"fault firewall master3: drops or rejects tcp port 6443 (clients of listener apiserver)",
		fmt.Sprintf("warning firewall master3: drops what conntrack calls invalid, also to tcp port %d", private),
	)
}

// TestBackendsAsSeen: a backend that one node cannot reach, and one whose certificate
// is not for the VIP.
func TestBackendsAsSeen(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	for _, m := range w.Masters {
		w.serve(m)
	}
	w.expect(w.judgeOf("backends"))
	must(t, w.Masters[0].Block(w.Masters[2].Host))
	w.expect(w.judgeOf("backends"),
		"fault backends master1: backend 192.168.0.3:6443 of listener apiserver does not answer",
		"fault backends master3: backend 192.168.0.1:6443 of listener apiserver does not answer",
	)
	must(t, w.Masters[0].Unblock(w.Masters[2].Host))

	other := newWard(t, cluster.Options{})
	pair, err := other.CA.Issue(pki.Names{CommonName: "kube-apiserver", DNS: []string{"kubernetes"}})
	must(t, err)
	for i, m := range other.Masters {
		if i != 1 {
			other.serve(m)
		}
	}
	other.serveWith(other.Masters[1], pair)
	other.expect(other.judgeOf("backends"), "fault backends master2: the certificate of backend 192.168.0.2:6443 is not for 192.168.0.10")
}
