package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// FuzzParse: whatever the text, an error that says where, or a configuration
// that keeps what typed.go promises.
func FuzzParse(f *testing.F) {
	f.Add([]byte(Reference))
	f.Add([]byte(small))
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data)
		if err == nil {
			checkConfig(t, c)
			return
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || len(e.Problems) == 0 {
			t.Fatalf("error without problems: %v", err)
		}
		for _, p := range e.Problems {
			if p.Line < 1 || p.Text == "" {
				t.Errorf("problem without a place: %+v", p)
			}
		}
	})
}

func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	must := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Errorf("%s does not hold in %+v", what, c)
		}
	}
	must(c.Election.Lease >= 3*c.Election.Renew && c.Election.Renew >= 60*time.Millisecond, "the lease")
	must(c.Election.Lease >= 300*time.Millisecond && c.Election.Lease <= 2*time.Second, "the lease's range")
	must(len(c.VIPs) == 0 || len(c.Cluster.Peers) > 0 && len(c.Cluster.Peers) <= maxPeers, "voters")
	must(c.Cluster.Gossip.Insecure == (c.Cluster.Gossip.KeyFile == ""), "a key or insecure")
	hosts, vips := map[netip.Addr]bool{}, map[string]netip.Addr{}
	for _, p := range c.Cluster.Peers {
		must(p.Name != "" && p.Address.IsValid() && !hosts[p.Address], "a peer's address")
		hosts[p.Address] = true
	}
	for _, v := range c.VIPs {
		must(v.Address.Is4() && !hosts[v.Address], "a VIP's address")
		hosts[v.Address] = true
		vips[v.Name] = v.Address
	}
	must(len(vips) == len(c.VIPs) && len(c.Listeners) > 0, "names")
	binds := map[netip.AddrPort]bool{}
	for _, l := range c.Listeners {
		must(l.Bind.Port() > 0 && l.Address.Port() > 0 && !binds[l.Bind] && !binds[l.Address], "a socket of its own")
		binds[l.Bind], binds[l.Address] = true, true
		must((l.VIP == "") == (l.Bind == l.Address), "a private port at a VIP")
		must(l.VIP == "" || vips[l.VIP] == l.Address.Addr(), "the VIP's address")
		must(len(l.Backends)+len(l.Names) > 0 && l.Check.Interval > 0 && l.Check.Timeout > 0 && l.Timeouts.Connect > 0, "backends and times")
		must((l.Check.Type == CheckTCP) == (l.Check.Path == "") && (l.Check.Path == "") == (len(l.Check.Expect) == 0), "a path")
		must(l.Check.FastInterval <= min(l.Check.Interval, l.Check.DownInterval) && l.Check.Interval <= l.Check.StandbyInterval, "paces")
		must(l.Timeouts.Retry <= l.Timeouts.Connect, "a retry")
		for _, b := range l.Names {
			must(isHostName(b.Name) && b.Port > 0 && b.Weight >= 0 && b.Weight <= 256, "a name")
		}
		for _, b := range l.Backends {
			must(b.Address.IsValid() && b.Address.Port() > 0 && b.Address != l.Bind && b.Weight >= 0 && b.Weight <= 256, "a backend")
		}
	}
	for _, h := range c.Hooks {
		must(len(h.On) > 0 && filepath.IsAbs(h.Exec[0]) && h.Timeout >= 100*time.Millisecond && h.Timeout <= 5*time.Minute, "a hook")
	}
	must(len(c.Digest()) == 12, "the digest")
}

// FuzzKeys: keys of the right sizes, or an error without any of the text.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("# primary\nq6urq6urq6urq6urq6urqw==\n"))
	f.Add([]byte("q6urq6urq6urq6urq6urqw\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeys("FILE", data)
		if err != nil && !keyError.MatchString(err.Error()) {
			t.Errorf("error tells more than it may: %v", err)
		}
		for _, k := range keys {
			if n := len(k); n != 16 && n != 24 && n != 32 {
				t.Errorf("a key of %d bytes", n)
			}
		}
		if err == nil && len(keys) == 0 {
			t.Error("neither keys nor an error")
		}
	})
}

var keyError = regexp.MustCompile(`^read gossip keys: FILE(:\d+: (is not 16, 24 or 32 bytes in base64|has more than 16 keys)| has no key); [a-z0-9 :|>/&FILE-]+$`)
