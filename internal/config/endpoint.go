package config

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// endpoint is where a backend is: an address and a port, or a DNS name and a port.
type endpoint struct {
	name string         // "" is none
	at   netip.AddrPort // of a name, the port alone
}

// String is the endpoint as one writes it.
func (e endpoint) String() string {
	if e.name != "" {
		return e.name + ":" + strconv.Itoa(int(e.at.Port()))
	}
	return e.at.String()
}

// hostRule is a host name (RFC 1123, section 2.1), with a dot at its end if it is
// complete. Its last part is no number, or it would be an address gone wrong.
var hostRule = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)

func parseEndpoint(text string) (endpoint, error) {
	name, port, found := strings.Cut(text, ":")
	if !found || !hostRule.MatchString(name) || len(name) > 253 {
		at, err := parseAddrPort(text)
		return endpoint{at: at}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return endpoint{}, errors.New("has no port; write NAME:PORT, such as api.example.org:6443")
	case n == 0:
		return endpoint{}, errors.New("has port 0; write one from 1 to 65535")
	}
	return endpoint{strings.ToLower(name), netip.AddrPortFrom(netip.Addr{}, uint16(n))}, nil
}
