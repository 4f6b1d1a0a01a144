package golden

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
)

var (
	names  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	ifaces = regexp.MustCompile(`^[^ /]{1,15}$`)
)

// fits reports whether a value is in the range of its key, as internal/config has
// it, for those keys that these importers give.
func fits(path string, v any) bool {
	_, key, _ := strings.Cut(path, ".")
	switch v := v.(type) {
	case netip.Addr:
		return v.IsValid() && !v.IsUnspecified() && v.Zone() == ""
	case int:
		return v >= 1 && v <= 65535
	case time.Duration:
		if key == "refresh" {
			return v >= time.Second && v <= 10*time.Minute
		}
		return v >= 100*time.Millisecond && v <= time.Hour && v%time.Millisecond == 0
	case string:
		switch {
		case key == "interface":
			return ifaces.MatchString(v)
		case path == "domain":
			return v != "" && !strings.ContainsAny(v, " \t\n\r")
		default:
			return names.MatchString(v)
		}
	default:
		return true
	}
}
