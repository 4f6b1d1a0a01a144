package doctor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// hooks are those that a packet meets which comes to this host.
var hooks = map[nftables.ChainHook]string{
	*nftables.ChainHookPrerouting: "prerouting", *nftables.ChainHookInput: "input",
}

// readTables reads the rule sets of this host that see IP, but for those that are
// kshalb's own.
func readTables() (all []table, err error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	tables, err := conn.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list the tables of nf_tables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list the chains of nf_tables: %w", err)
	}
	for _, of := range tables {
		t := table{name: familyName(of.Family) + " " + of.Name, chains: make(map[string]chain)}
		t.four = of.Family == nftables.TableFamilyIPv4 || of.Family == nftables.TableFamilyINet
		t.six = of.Family == nftables.TableFamilyIPv6 || of.Family == nftables.TableFamilyINet
		if !t.four && !t.six || strings.HasPrefix(of.Name, "kshalb") {
			continue
		}
		for _, c := range chains {
			if c.Table.Name != of.Name || c.Table.Family != of.Family {
				continue
			}
			read, err := readChain(conn, of, c)
			if err != nil {
				return nil, fmt.Errorf("read chain %s of %s: %w", c.Name, t.name, err)
			}
			t.chains[c.Name] = read
		}
		all = append(all, t)
	}
	return all, nil
}

func familyName(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyINet:
		return "inet"
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	}
	return "another"
}

func readChain(conn *nftables.Conn, t *nftables.Table, c *nftables.Chain) (read chain, err error) {
	read = chain{name: c.Name}
	if c.Hooknum != nil {
		read.base, read.hook = true, hooks[*c.Hooknum]
		read.drops = c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		if c.Type == nftables.ChainTypeNAT { // it sees the first packet only, and changes it
			read.hook = ""
		}
	}
	rules, err := conn.GetRules(t, c)
	if err != nil {
		return read, err
	}
	for _, r := range rules {
		p := parser{sets: func(name string) ([]nftables.SetElement, *nftables.Set) {
			set, err := conn.GetSetByName(t, name)
			if err != nil {
				return nil, nil
			}
			elements, err := conn.GetSetElements(set)
			if err != nil {
				return nil, nil
			}
			return elements, set
		}, loaded: make(map[uint32]load)}
		read.rules = append(read.rules, p.parse(r.Exprs)...)
	}
	return read, nil
}

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
	case *expr.Immediate:
		p.loaded[e.Register] = load{}
	default:
		p.need(condition{}) // a limit, a quota, a place of the sender
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
	}
	return actOdd, ""
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
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return string(data[:i])
	}
	return string(data) + "*"
}

// lookup is a set, or a map of verdicts.
func (p *parser) lookup(e *expr.Lookup) {
	l := p.loaded[e.SourceRegister]
	elements, set := p.sets(e.SetName)
	if set == nil || set.Concatenation || l.of == fieldUnknown || l.of == fieldLink && set.Interval {
		p.need(condition{})
		if e.IsDestRegSet {
			p.rule.do = actOdd
		}
		return
	}
	if e.IsDestRegSet && e.DestRegister == unix.NFT_REG_VERDICT {
		for _, el := range elements {
			r := rule{conditions: append(append([]condition(nil), p.rule.conditions...), member(l.of, []nftables.SetElement{el}, false)), do: actOdd}
			if v, ok := verdictIn(el.Val); ok {
				r.do, r.to = verdict(v)
			}
			p.more = append(p.more, r)
		}
		return
	}
	c := member(l.of, elements, set.Interval)
	c.not = e.Invert
	p.need(c)
}

// member is whether a field is one of a set.
func member(of field, elements []nftables.SetElement, interval bool) (c condition) {
	c.of = of
	var open *uint32 // an interval's begin
	for _, el := range elements {
		switch {
		case of == fieldLink:
			c.links = append(c.links, linkName(el.Key))
			continue
		case of == fieldState && len(el.Key) == 4:
			if len(c.ranges) == 0 {
				c.ranges = [][2]uint32{{0, 0}}
			}
			c.ranges[0][0] |= binary.NativeEndian.Uint32(el.Key)
			continue
		}
		n, ok := keyNumber(of, el.Key)
		if !ok {
			return condition{}
		}
		switch {
		case !interval:
			c.ranges = append(c.ranges, [2]uint32{n, n})
		case el.IntervalEnd:
			if open == nil {
				open = new(uint32)
			}
			if n > *open {
				c.ranges = append(c.ranges, [2]uint32{*open, n - 1})
			}
			open = nil
		default:
			if open != nil {
				return condition{} // in an order that is not known here
			}
			open = &n
		}
	}
	if open != nil {
		c.ranges = append(c.ranges, [2]uint32{*open, 1<<32 - 1})
	}
	return c
}

func keyNumber(of field, key []byte) (uint32, bool) {
	switch {
	case of == fieldPort && len(key) >= 2:
		return uint32(binary.BigEndian.Uint16(key)), true
	case of == fieldProto && len(key) >= 1:
		return uint32(key[0]), true
	}
	return 0, false
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
