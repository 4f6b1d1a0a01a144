package paths

import (
	"net"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// rules are what others have put into the kernel of the holder.
type rules struct {
	name string
	add  func(*nftables.Conn, *nftables.Table)
	here bool // on the holder only
}

// others are in a table of their own each, beside the masquerading of pods.
var others = []rules{
	{name: "alone", add: func(*nftables.Conn, *nftables.Table) {}},
	// A zone for each interface ends all masquerading, with kshalb or without: the
	// answers arrive in another zone than the questions.
	{name: "zones", add: zones, here: true},
	{name: "kube-proxy", add: kubeProxy(0)},
	{name: "nat before", add: kubeProxy(-10)},
	{name: "nat behind", add: kubeProxy(10)},
}

const table = "others"

// put puts the rules in place, and the masquerading of pods as a CNI does it.
func (r rules) put(f family, on bool) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	t := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: table})
	post := c.AddChain(&nftables.Chain{
		Name: "POSTROUTING", Table: t, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	pods := f.pod.Masked()
	rule(c, post, matchPrefix(12, pods, expr.CmpOpEq), matchPrefix(16, pods, expr.CmpOpNeq), []expr.Any{&expr.Masq{}})
	if on {
		r.add(c, t)
	}
	return c.Flush()
}

func (r rules) remove() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	c.DelTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: table})
	return c.Flush()
}

func rule(c *nftables.Conn, chain *nftables.Chain, parts ...[]expr.Any) {
	r := &nftables.Rule{Table: chain.Table, Chain: chain}
	for _, p := range parts {
		r.Exprs = append(r.Exprs, p...)
	}
	c.AddRule(r)
}

// zones gives the traffic of eth0 a conntrack zone of its own, both ways.
func zones(c *nftables.Conn, t *nftables.Table) {
	rule(c, raw(c, t, nftables.ChainHookPrerouting), matchInterface(expr.MetaKeyIIFNAME), zone())
	rule(c, raw(c, t, nftables.ChainHookOutput), matchInterface(expr.MetaKeyOIFNAME), zone())
}

func raw(c *nftables.Conn, t *nftables.Table, hook *nftables.ChainHook) *nftables.Chain {
	name := map[bool]string{true: "raw-output", false: "raw-prerouting"}[hook == nftables.ChainHookOutput]
	return c.AddChain(&nftables.Chain{
		Name: name, Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityRaw,
	})
}

// kubeProxy is what kube-proxy writes with iptables-nft for one service: a jump
// from PREROUTING and OUTPUT, and DNAT to an endpoint. Its chains are called so
// much later than ours.
func kubeProxy(later nftables.ChainPriority) func(*nftables.Conn, *nftables.Table) {
	priority := *nftables.ChainPriorityNATDest + later
	return func(c *nftables.Conn, t *nftables.Table) {
		services := c.AddChain(&nftables.Chain{Name: "KUBE-SERVICES", Table: t})
		for name, hook := range map[string]*nftables.ChainHook{
			"PREROUTING": nftables.ChainHookPrerouting, "OUTPUT": nftables.ChainHookOutput,
		} {
			chain := c.AddChain(&nftables.Chain{Name: name, Table: t, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: &priority})
			rule(c, chain, []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictJump, Chain: services.Name}})
		}
		service := netip.MustParsePrefix("10.96.0.1/32")
		rule(c, services, matchPrefix(16, service, expr.CmpOpEq), matchPort(443), []expr.Any{
			&expr.Immediate{Register: 1, Data: net.IPv4(192, 168, 0, 1).To4()},
			&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(cluster.Port)},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2, Specified: true},
		})
	}
}

// matchPrefix is for the address at an offset of the IPv4 header.
func matchPrefix(offset uint32, p netip.Prefix, op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: net.CIDRMask(p.Bits(), 32), Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

func matchPort(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
	}
}

func matchInterface(key expr.MetaKey) []expr.Any {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, "eth0")
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Register: 1, Data: name}}
}

// zone sets conntrack zone 7.
func zone() []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint16(7)},
		&expr.Ct{Key: expr.CtKeyZONE, Register: 1, SourceRegister: true},
	}
}
