package yamlnode

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Port is a text or number from 1 to 65535.
func Port(n Node) (port int, ok bool) {
	text := n.Text()
	port, err := strconv.Atoi(text)
	return port, err == nil && port >= 1 && port <= 65535 && text == strconv.Itoa(port)
}

// Addr is an IP address without a zone, an IPv4 one in its four bytes.
func Addr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// Floats reports whether an address may be a VIP: neither a loopback, nor all
// zeros, nor one of many hosts.
func Floats(a netip.Addr) bool {
	return a.IsGlobalUnicast()
}

// Bool is what strconv.ParseBool takes.
func Bool(n Node) (value, ok bool) {
	value, err := strconv.ParseBool(n.Text())
	return value, err == nil
}

var (
	nameRule   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	domainRule = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$`)
)

// IsName reports whether kshalb takes a text as a name of a cluster or a peer.
func IsName(text string) bool { return nameRule.MatchString(text) }

// IsDomain reports whether a text can be a name in the DNS (RFC 1123), and is no
// IP address.
func IsDomain(text string) bool {
	_, isAddr := Addr(text)
	return !isAddr && len(text) <= 253 && domainRule.MatchString(text) && strings.ContainsFunc(text, letter)
}

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
