package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"time"
)

// parseScalar reads a text as a value of type t, which is one of the types
// that raw.go uses. The error says what is wrong and what would be right, as
// the rest of a sentence that begins with the text.
func parseScalar(t reflect.Type, text string) (any, error) {
	switch t {
	case reflect.TypeFor[string]():
		return text, nil
	case reflect.TypeFor[bool]():
		return parseBool(text)
	case reflect.TypeFor[int]():
		return parseInt(text)
	case reflect.TypeFor[time.Duration]():
		return parseDuration(text)
	case reflect.TypeFor[netip.Addr]():
		return parseAddr(text)
	case reflect.TypeFor[netip.AddrPort]():
		return parseAddrPort(text)
	case reflect.TypeFor[netip.Prefix]():
		return parsePrefix(text)
	case reflect.TypeFor[endpoint]():
		return parseEndpoint(text)
	}
	return nil, fmt.Errorf("has no reader for %s", t)
}

// isScalar tells the types of parseScalar, among which are structs.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		return false
	case reflect.Struct:
		return t.PkgPath() == "net/netip" || t == reflect.TypeFor[endpoint]()
	default:
		return true
	}
}

func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, errors.New("is not true or false")
	}
	return text == "true", nil
}

// parseInt takes plain decimals only: YAML's 0x10, 0o17, 017 and 1_000 mean
// different things to different readers.
func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return 0, errors.New("is not a whole number; write digits only")
	}
	return n, nil
}

// parseDuration takes whole milliseconds: what is shorter is a slip of the
// pen, and the kernel's timeouts would round it to 0, which is "none".
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, errors.New("is not a duration; write one like 500ms, 2s or 1m30s")
	case d < 0:
		return 0, errors.New("is negative; write a duration like 500ms or 2s")
	case d%time.Millisecond != 0:
		return 0, errors.New("is not in whole milliseconds; write one like 500ms or 2s")
	}
	return d, nil
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, errors.New("is not an IP address; write one like 192.168.0.10")
	}
	return a, plainAddr(a)
}

func parseAddrPort(text string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(text)
	switch {
	case err != nil:
		return ap, errors.New("is not ADDRESS:PORT; write one like 192.168.0.1:6443 or [2001:db8::1]:6443")
	case ap.Port() == 0:
		return ap, errors.New("has port 0; write one from 1 to 65535")
	}
	return ap, plainAddr(ap.Addr())
}

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if a, addrErr := netip.ParseAddr(text); addrErr == nil && a.Zone() == "" {
		return p, fmt.Errorf("is an address, not a range; write %s", netip.PrefixFrom(a, a.BitLen()))
	}
	switch {
	case err != nil:
		return p, errors.New("is not a range of addresses; write one like 192.168.0.0/16")
	case p != p.Masked():
		return p, fmt.Errorf("has bits set behind its length; write %s", p.Masked())
	}
	return p, plainAddr(p.Addr())
}

// plainAddr refuses the forms that make two texts of one address, so that
// addresses can be compared with ==.
func plainAddr(a netip.Addr) error {
	switch {
	case a.Is4In6():
		return fmt.Errorf("is IPv4 in IPv6 clothing; write %s as IPv4", a.Unmap())
	case a.Zone() != "":
		return fmt.Errorf("has a zone; leave %%%s out", a.Zone())
	}
	return nil
}
