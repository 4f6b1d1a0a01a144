package doctor

import (
	"bytes"
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// load is what is in a register.
type load struct {
	of   field
	mask uint32 // of a state; 0 is all
}

// parser makes conditions of a rule's expressions.
type parser struct {
	sets   func(name string) ([]nftables.SetElement, *nftables.Set)
	loaded map[uint32]load
	rule   rule
	more   []rule // of a verdict map
}

func (p *parser) parse(exprs []expr.Any) []rule {
	for _, e := range exprs {
		p.take(e)
	}
	if p.more != nil {
		return p.more
	}
	return []rule{p.rule}
}

func (p *parser) need(c condition) { p.rule.conditions = append(p.rule.conditions, c) }

func (p *parser) take(e expr.Any) {
	switch e := e.(type) {
	case *expr.Counter, *expr.Log:
	case *expr.Meta, *expr.Payload, *expr.Ct, *expr.Bitwise, *expr.Immediate:
		p.load(e)
	case *expr.Cmp:
		p.compare(e)
	case *expr.Range:
		c := condition{of: p.loaded[e.Register].of, not: e.Op == expr.CmpOpNeq}
		if c.of == fieldPort && len(e.FromData) == 2 && len(e.ToData) == 2 {
			c.ranges = [][2]uint32{{uint32(binary.BigEndian.Uint16(e.FromData)), uint32(binary.BigEndian.Uint16(e.ToData))}}
		} else {
			c = condition{}
		}
		p.need(c)
	case *expr.Lookup:
		p.lookup(e)
	case *expr.Match:
		p.xtables(e)
	case *expr.Reject:
		p.rule.do = actDrop
	case *expr.Target:
		p.rule.do = actOdd
		if e.Name == "REJECT" {
			p.rule.do = actDrop
		}
		if e.Name == "LOG" || e.Name == "MARK" || e.Name == "CONNMARK" || e.Name == "NFLOG" {
			p.rule.do = actNone
		}
	case *expr.Verdict:
		p.rule.do, p.rule.to = verdict(e)
	default:
		p.need(condition{}) // a limit, a quota, a place of the sender
	}
}

// load notes what an expression puts into a register.
func (p *parser) load(e expr.Any) {
	switch e := e.(type) {
	case *expr.Meta:
		p.loaded[e.Register] = load{of: map[expr.MetaKey]field{
			expr.MetaKeyL4PROTO: fieldProto, expr.MetaKeyIIFNAME: fieldLink, expr.MetaKeyNFPROTO: fieldFamily,
		}[e.Key]}
	case *expr.Payload:
		l := load{}
		if e.Base == expr.PayloadBaseTransportHeader && e.Offset == 2 && e.Len == 2 {
			l.of = fieldPort
		}
		if e.Base == expr.PayloadBaseNetworkHeader && e.Offset == 9 && e.Len == 1 { // of IPv4
			l.of = fieldProto
		}
		p.loaded[e.DestRegister] = l
	case *expr.Ct:
		l := load{}
		if e.Key == expr.CtKeySTATE {
			l.of = fieldState
		}
		p.loaded[e.Register] = l
	case *expr.Bitwise:
		l := p.loaded[e.SourceRegister]
		if l.of == fieldState && len(e.Mask) == 4 {
			l.mask = binary.NativeEndian.Uint32(e.Mask)
		} else {
			l.of = fieldUnknown
		}
		p.loaded[e.DestRegister] = l
	case *expr.Immediate:
		p.loaded[e.Register] = load{}
	}
}

func verdict(v *expr.Verdict) (do, to string) {
	switch v.Kind {
	case expr.VerdictAccept:
		return actAccept, ""
	case expr.VerdictDrop:
		return actDrop, ""
	case expr.VerdictJump:
		return actJump, v.Chain
	case expr.VerdictGoto:
		return actGoto, v.Chain
	case expr.VerdictReturn:
		return actReturn, ""
	case expr.VerdictContinue:
		return actNone, ""
	default:
		return actOdd, ""
	}
}

func (p *parser) compare(e *expr.Cmp) {
	l := p.loaded[e.Register]
	c := condition{of: l.of, not: e.Op == expr.CmpOpNeq}
	if e.Op != expr.CmpOpEq && e.Op != expr.CmpOpNeq {
		p.need(condition{})
		return
	}
	switch {
	case l.of == fieldState && l.mask != 0 && bytes.Count(e.Data, []byte{0}) == len(e.Data): // ct state & mask != 0
		c.ranges, c.not = [][2]uint32{{l.mask, 0}}, e.Op == expr.CmpOpEq
	case l.of == fieldState && len(e.Data) == 4:
		c.ranges = [][2]uint32{{binary.NativeEndian.Uint32(e.Data), 0}}
	case l.of == fieldPort && len(e.Data) == 2:
		n := uint32(binary.BigEndian.Uint16(e.Data))
		c.ranges = [][2]uint32{{n, n}}
	case l.of == fieldProto && len(e.Data) > 0:
		c.ranges = [][2]uint32{{uint32(e.Data[0]), uint32(e.Data[0])}}
	case l.of == fieldFamily && len(e.Data) > 0:
		n := map[byte]uint32{unix.NFPROTO_IPV4: 4, unix.NFPROTO_IPV6: 6}[e.Data[0]]
		c.ranges = [][2]uint32{{n, n}}
	case l.of == fieldLink:
		c.links = []string{linkName(e.Data)}
	default:
		c = condition{}
	}
	p.need(c)
}

// linkName is one of a rule: whole, with its zero byte, or the beginning of names.
func linkName(data []byte) string {
	if name, _, whole := bytes.Cut(data, []byte{0}); whole {
		return string(name)
	}
	return string(data) + "*"
}

// xtables is a match of iptables.
func (p *parser) xtables(e *expr.Match) {
	switch i := e.Info.(type) {
	case *xt.Tcp:
		p.ports(i.DstPorts, i.InvFlags&xt.TcpInvDestPorts != 0)
		if i.SrcPorts != [2]uint16{0, 65535} || i.FlagsMask != 0 || i.Option != 0 {
			p.need(condition{})
		}
	case *xt.Udp:
		p.ports(i.DstPorts, i.InvFlags&xt.UdpInvDestPorts != 0)
		if i.SrcPorts != [2]uint16{0, 65535} {
			p.need(condition{})
		}
	case *xt.ConntrackMtinfo3:
		p.conntrack(i.MatchFlags, i.InvertFlags, i.StateMask)
	case *xt.ConntrackMtinfo2:
		p.conntrack(i.MatchFlags, i.InvertFlags, i.StateMask)
	default:
		if e.Name != "comment" {
			p.need(condition{})
		}
	}
}

func (p *parser) ports(r [2]uint16, not bool) {
	p.need(condition{of: fieldPort, not: not, ranges: [][2]uint32{{uint32(r[0]), uint32(r[1])}}})
}

// conntrack is iptables' -m conntrack --ctstate (XT_CONNTRACK_STATE).
func (p *parser) conntrack(flags, inverted, states uint16) {
	const state = 1
	if flags != state {
		p.need(condition{})
		return
	}
	p.need(condition{of: fieldState, not: inverted&state != 0, ranges: [][2]uint32{{uint32(states), 0}}})
}
