package doctor

import (
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

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
