package haproxy

import (
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// test is what one ACL, or one between braces, asks (section 7).
type test struct {
	what     string         // the sample, such as src; "" is what nobody can tell
	prefixes []netip.Prefix // of src
	op       string         // of a count: eq, ge, gt, le or lt
	count    int
}

// tests are the ACLs of a proxy by name. Several lines of one name are joined by or.
func (p *proxy) tests() map[string][]test {
	out := map[string][]test{
		"TRUE": {{what: "always_true"}}, "FALSE": {{what: "always_false"}},
		"LOCALHOST": {{what: "src", prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
	}
	for _, l := range p.all("acl") {
		out[l.word(1)] = append(out[l.word(1)], parseTest(l.from(2)))
	}
	return out
}

// parseTest reads SAMPLE [-FLAGS] [OPERATOR] VALUE... .
func parseTest(words []string) test {
	if len(words) == 0 {
		return test{}
	}
	t := test{what: words[0]}
	values := words[1:]
	for len(values) > 0 && (values[0] == "-n" || values[0] == "--") {
		values = values[1:]
	}
	switch {
	case t.what == "always_true" || t.what == "always_false":
		return t
	case t.what == "src" && len(values) > 0:
		return t.sources(values)
	case connectionCounts[t.what]:
		return t.counts(values)
	}
	return test{}
}

// connectionCounts are the samples of how many connections a tracked source has.
var connectionCounts = map[string]bool{
	"src_conn_cur": true, "sc0_conn_cur": true, "sc1_conn_cur": true, "sc2_conn_cur": true,
	"sc_conn_cur(0)": true, "sc_conn_cur(1)": true, "sc_conn_cur(2)": true,
}

func (t test) sources(values []string) test {
	for _, v := range values {
		p, ok := parsePrefix(v)
		if !ok {
			return test{}
		}
		t.prefixes = append(t.prefixes, p)
	}
	return t
}

// counts reads gt 20, or 20, which is eq.
func (t test) counts(values []string) test {
	t.op = "eq"
	if len(values) == 2 {
		t.op, values = values[0], values[1:]
	}
	n := 0
	var err error
	if len(values) == 1 {
		n, err = strconv.Atoi(values[0])
	}
	if len(values) != 1 || err != nil || n < 0 || n > maxLimit || !slices.Contains([]string{"ge", "gt"}, t.op) {
		return test{}
	}
	t.count = n
	return t
}

// parsePrefix reads ADDRESS, ADDRESS/BITS or ADDRESS/MASK.
func parsePrefix(text string) (netip.Prefix, bool) {
	host, mask, masked := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	if !masked {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	n, err := strconv.Atoi(mask)
	if m, bad := netip.ParseAddr(mask); bad == nil && m.Is4() && addr.Is4() {
		b := m.As4()
		word := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		n, err = bits.LeadingZeros32(^word), nil
		if word<<n != 0 {
			return netip.Prefix{}, false
		}
	}
	p, bad := addr.Prefix(n)
	return p, err == nil && bad == nil
}

// literal is a test or its opposite.
type literal struct {
	not   bool
	tests []test // joined by or
}

// parseCondition reads what follows if or unless: terms joined by or, each of
// literals joined by and. ok is false for a name that is not defined.
func parseCondition(words []string, named map[string][]test) (terms [][]literal, ok bool) {
	term, not := []literal{}, false
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		bare := strings.TrimLeft(word, "!")
		not = not != ((len(word)-len(bare))%2 == 1)
		switch {
		case bare == "":
			continue
		case bare == "or" || bare == "||":
			terms, term = append(terms, term), nil
		case bare == "and" || bare == "&&":
		case bare == "{":
			end := slices.Index(words, "}")
			if end < 0 {
				return nil, false
			}
			term = append(term, literal{not, []test{parseTest(words[:end])}})
			words = words[end+1:]
		case named[bare] == nil:
			return nil, false
		default:
			term = append(term, literal{not, named[bare]})
		}
		not = false
	}
	return append(terms, term), true
}
