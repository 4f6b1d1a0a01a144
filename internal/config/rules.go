package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// checkTags holds a value that has just been read against its field's tags.
// text is how it was written.
func checkTags(tag reflect.StructTag, text string, value any) error {
	if words, ok := tag.Lookup("oneof"); ok {
		if known := strings.Split(words, "|"); !slices.Contains(known, text) {
			return fmt.Errorf("is not known here; write %s", wordList(known))
		}
	}
	if rule, ok := tag.Lookup("is"); ok {
		if err := checkText(rule, text); err != nil {
			return err
		}
	}
	if bounds, ok := tag.Lookup("range"); ok {
		if err := checkRange(bounds, value); err != nil {
			return err
		}
	}
	return nil
}

// checkRange holds a value between the bounds of a range tag. Both bounds
// belong to it; either may be missing.
func checkRange(bounds string, value any) error {
	low, high, _ := strings.Cut(bounds, "..")
	below := low != "" && order(value) < order(fromTag(value, low))
	above := high != "" && order(value) > order(fromTag(value, high))
	switch {
	case !below && !above:
		return nil
	case low == "":
		return fmt.Errorf("is out of range; write %s or less", high)
	case high == "":
		return fmt.Errorf("is out of range; write %s or more", low)
	default:
		return fmt.Errorf("is out of range; write %s to %s", low, high)
	}
}

func order(v any) int64 { return reflect.ValueOf(v).Int() }

// fromTag reads a text of raw.go as a value like like. A test reads them all.
func fromTag(like any, text string) any {
	v, err := parseScalar(reflect.TypeOf(like), text)
	if err != nil {
		return reflect.Zero(reflect.TypeOf(like)).Interface()
	}
	return v
}

// nameRule is what memberlist, metrics and messages all take: a host name's
// letters, and "_" besides.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// maxSocketPath is sun_path of unix(7), 108 bytes, without its final NUL.
const maxSocketPath = 107

// checkText is the "is" tag. An empty text is left to the caller, save a name.
func checkText(rule, text string) error {
	if text == "" && rule != "name" {
		return nil
	}
	switch rule {
	case "name":
		if !nameRule.MatchString(text) {
			return errors.New("is not a name; write up to 63 letters, digits, '.', '_' or '-', such as master1")
		}
	case "file", "socket":
		if !filepath.IsAbs(text) || strings.ContainsRune(text, 0) {
			return errors.New("is not an absolute path; write one like /etc/kshalb/name")
		}
		if rule == "socket" && len(text) > maxSocketPath {
			return fmt.Errorf("is too long for a unix socket; write a path of %d bytes or less", maxSocketPath)
		}
	case "interface":
		// IFNAMSIZ of if.h and dev_valid_name of the kernel's net/core/dev.c.
		if len(text) > 15 || text == "." || text == ".." || strings.ContainsAny(text, "/: \t\n\v\f\r") {
			return errors.New("is not the name of an interface; write one like eth0")
		}
	case "urlpath":
		if u, err := url.ParseRequestURI(text); err != nil || text[0] != '/' || u.Host != "" || strings.Contains(text, "#") {
			return errors.New("is not a path; write one like /readyz")
		}
	case "hostname":
		if !isHostName(text) {
			return errors.New("is not a host name; write one like api.example.org")
		}
	case "host":
		return checkHostHeader(text)
	case "hostport":
		if _, err := parseAddrPort(text); err != nil {
			return err
		}
	}
	return nil
}
