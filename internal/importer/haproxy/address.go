package haproxy

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// place is an address with its ports, as bind and server have it.
type place struct {
	host     string // a name, where it is no address
	addr     netip.Addr
	any      bool // "*" or nothing stood for the address
	low      int  // the first port
	high     int  // the last one
	relative bool // low is to be added to the port where the client connected
}

// The reasons why a place is none for kshalb.
var (
	errSocket      = errors.New("is no address of TCP over IP")
	errPort        = errors.New("has no port from 1 to 65535")
	errPlaceholder = errors.New("holds a placeholder; put in what it stands for and read the file again")
	errHost        = errors.New("is neither an address nor a name")
)

// hostRule is a host name (RFC 1123, section 2.1), as kshalb.yaml takes it.
var hostRule = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)

// isHostName reports whether a text is the name of a host.
func isHostName(text string) bool {
	return len(strings.TrimSuffix(text, ".")) <= 253 && hostRule.MatchString(text)
}

// parsePlace reads an address (section 11, "Address formats"): [tcp][4|6]@ or
// ipv4@ or ipv6@ may stand before it, the last colon is before the port.
func parsePlace(text string) (place, error) {
	if strings.ContainsAny(text, "{}$<>%") {
		return place{}, errPlaceholder
	}
	family, rest, named := strings.Cut(text, "@")
	switch {
	case !named:
		family, rest = "", text
	case family != "ipv4" && family != "ipv6" && family != "tcp" && family != "tcp4" && family != "tcp6":
		return place{}, errSocket
	}
	if strings.HasPrefix(rest, "/") {
		return place{}, errSocket
	}
	host, ports := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		host, ports = rest[:i], rest[i+1:]
	}
	p := place{}
	if err := p.setHost(host, strings.HasSuffix(family, "6")); err != nil {
		return place{}, err
	}
	return p, p.setPorts(ports)
}

func (p *place) setHost(host string, six bool) error {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	switch addr, err := netip.ParseAddr(host); {
	case host == "" || host == "*":
		p.any, p.addr = true, netip.IPv4Unspecified()
		if six {
			p.addr = netip.IPv6Unspecified()
		}
	case err == nil && addr.Zone() != "":
		return errHost
	case err == nil:
		p.addr = addr.Unmap()
		p.host = p.addr.String()
	case isHostName(host):
		p.host = host
	default:
		return errHost
	}
	return nil
}

// setPorts reads PORT, LOW-HIGH, +OFFSET, -OFFSET, or nothing, which is the port
// where the client connected.
func (p *place) setPorts(text string) error {
	switch sign := strings.TrimLeft(text, "+-"); {
	case text == "":
		p.relative = true
		return nil
	case sign != text:
		n, err := strconv.Atoi(text)
		p.relative, p.low = true, n
		if err != nil {
			return errPort
		}
		return nil
	}
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	var errLow, errHigh error
	p.low, errLow = parsePort(low)
	p.high, errHigh = parsePort(high)
	if errLow != nil || errHigh != nil || p.low > p.high {
		return errPort
	}
	return nil
}

func parsePort(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errPort
	}
	return int(n), nil
}

// at is the port for clients that connect to port.
func (p place) at(port int) (int, error) {
	if !p.relative {
		return p.low, nil
	}
	if sum := port + p.low; sum >= 1 && sum <= 65535 {
		return sum, nil
	}
	return 0, errPort
}
