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

// isHostName holds a text against hostRule, and its length against what DNS
// carries (RFC 1035, section 2.3.4).
func isHostName(text string) bool {
	return len(strings.TrimSuffix(text, ".")) <= 253 && hostRule.MatchString(text)
}

func parseEndpoint(text string) (endpoint, error) {
	name, port, found := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(text, "[") || strings.Trim(text, "0123456789.:") == "":
		at, err := parseAddrPort(text)
		return endpoint{at: at}, err
	case !found && isHostName(text):
		return endpoint{}, errors.New("has no port; write one, as in api.example.org:6443")
	case !isHostName(name):
		return endpoint{}, errors.New("is neither ADDRESS:PORT nor NAME:PORT; write one like 192.168.0.1:6443, [2001:db8::1]:6443 or api.example.org:6443")
	}
	n, err := parsePort(port)
	return endpoint{strings.ToLower(name), netip.AddrPortFrom(netip.Addr{}, n)}, err
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil:
		return 0, errors.New("does not end in a port; write one from 1 to 65535")
	case n == 0:
		return 0, errors.New("has port 0; write one from 1 to 65535")
	}
	return uint16(n), nil
}

// checkHostHeader takes what may stand in a Host header (RFC 9110, section
// 7.2): a name or an address, with a port or without.
func checkHostHeader(text string) error {
	if _, err := netip.ParseAddrPort(text); err == nil {
		return nil
	}
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil && a.Is6() == strings.HasPrefix(text, "[") {
		return nil
	}
	name, port, found := strings.Cut(text, ":")
	if !isHostName(name) {
		return errors.New("is not the name of a host; write one like api.example.org or api.example.org:6443")
	}
	if !found {
		return nil
	}
	_, err := parsePort(port)
	return err
}
