package paths

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/pkg/vip"
)

// TestTransparent: a backend sees its clients' own addresses, whatever the host
// does with packets that are not for it; and nothing of that is left.
func TestTransparent(t *testing.T) {
	for name, f := range map[string]struct{ front, back side }{"IPv4": {front4, back4}, "IPv6": {front6, back6}} {
		t.Run(name, func(t *testing.T) {
			b := newBetween(t)
			p := b.start(at(f.front.gateway, frontPort), f.back.host)
			for _, s := range settings {
				b.Run(fmt.Sprintf("forward=%s/rp_filter=%s", s.forward, s.filter), func(t *testing.T) {
					must(t, b.balancer.Do(func() error { return s.write("eth0", "back0") }))
					(&between{T: t, client: b.client, accepts: b.accepts}).through(f.front, f.back)
				})
			}
			if len(b.left()) != 5 {
				t.Errorf("while it runs: %v, want a table and, in each family, a rule and a route", b.left())
			}
			must(t, p.Stop(labtest.Context(t, limit)))
			b.nothingLeft("a stop")
		})
	}
}

// write makes the setting of a host's interfaces; rp_filter is only IPv4's.
func (s setting) write(links ...string) error {
	errs := []error{
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(s.forward), 0),
		os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte(s.forward), 0),
	}
	for _, name := range append(links, "all", "default", "lo") {
		errs = append(errs, os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/rp_filter", []byte(s.filter), 0))
	}
	return errors.Join(errs...)
}

// TestTransparentKilled: what a killed balancer leaves goes at the next start, and
// by Cleanup.
func TestTransparentKilled(t *testing.T) {
	b := newBetween(t)
	for range 2 {
		p := b.start(at(front4.gateway, frontPort), back4.host)
		b.through(front4, back4)
		must(t, p.Kill())
	}
	if len(b.left()) == 0 {
		t.Error("a killed balancer leaves nothing: the test proves nothing")
	}
	p := b.start(at(front4.gateway, frontPort), back4.host)
	b.through(front4, back4)
	must(t, b.balancer.Do(func() error {
		if err := vip.Cleanup(slog.New(slog.DiscardHandler)); err == nil {
			return errors.New("the rules of a balancer that runs were removed")
		}
		return nil
	}))
	b.through(front4, back4)
	must(t, p.Kill())
	must(t, b.balancer.Do(func() error { return vip.Cleanup(slog.New(slog.DiscardHandler)) }))
	b.nothingLeft("Cleanup")
}

// refusedSoon connects from the client and expects to be reset, within what the
// balancer gives a backend and some more.
func (b *between) refusedSoon() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), limit)
	defer cancel()
	c, err := b.client.DialContext(ctx, "tcp", at(front4.gateway, frontPort))
	if err == nil {
		defer c.Close()
		must(b.T, c.SetDeadline(time.Now().Add(limit)))
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		b.Errorf("the client ends with %v, want a reset", err)
	}
}

// TestTransparentAnswersElsewhere: when a backend answers another way, its clients
// are refused in time, and somebody hears of it.
func TestTransparentAnswersElsewhere(t *testing.T) {
	b := newBetween(t)
	must(t, b.backend.Do(func() error { return defaultRoute(netip.MustParseAddr("10.2.0.99")) }))
	p := b.start(at(front4.gateway, frontPort), back4.host)
	begins := len(b.said())
	b.refusedSoon()
	b.await(p, begins, `reason="connect: connection timed out"`)
	must(t, b.backend.Do(func() error { return defaultRoute(back4.gateway.Addr()) }))
	b.through(front4, back4)
}

// TestTransparentMarksCount: what CheckAnswers refuses does not work indeed.
func TestTransparentMarksCount(t *testing.T) {
	b := newBetween(t)
	b.start(at(front4.gateway, frontPort), back4.host)
	for _, filter := range []string{"0", "1", "2"} {
		set := func(value string) {
			must(t, b.balancer.Do(func() error {
				return errors.Join(setting{"0", filter}.write("eth0", "back0"),
					os.WriteFile("/proc/sys/net/ipv4/conf/back0/src_valid_mark", []byte(value), 0))
			}))
		}
		set("1")
		b.refusedSoon()
		set("0")
		b.through(front4, back4)
	}
}

// TestTransparentForeign: a rule and a route that somebody else has at the same
// place stay, and are told of.
func TestTransparentForeign(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, family := range map[string]int{"IPv4": unix.AF_INET, "IPv6": unix.AF_INET6} {
		t.Run(name, func(t *testing.T) {
			b := newBetween(t)
			must(t, b.balancer.Do(func() error { return occupy(family) }))
			before := b.left()
			must(t, b.balancer.Do(func() error {
				const want = "use routing table 27499: it has a route of somebody else"
				if _, err := vip.KeepAnswers(log); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
				return vip.Cleanup(log)
			}))
			if left := b.left(); len(before) != 2 || fmt.Sprint(left) != fmt.Sprint(before) {
				t.Errorf("there were %v, left are %v", before, left)
			}
		})
	}
}

// occupy makes what kshalb would make, but for the origin.
func occupy(family int) error {
	to, err := netlink.ParseIPNet("0.0.0.0/0")
	if family == unix.AF_INET6 {
		to, err = netlink.ParseIPNet("::/0")
	}
	if err != nil {
		return err
	}
	rule := netlink.NewRule()
	rule.Family, rule.Priority, rule.Mark, rule.Table = family, 99, vip.AnswersMark, vip.AnswersRoutes
	return errors.Join(netlink.RuleAdd(rule), netlink.RouteAdd(&netlink.Route{
		Dst: to, Table: vip.AnswersRoutes, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, LinkIndex: 1, Protocol: unix.RTPROT_STATIC,
	}))
}

// TestTransparentOtherFamily: no client appears as somebody else, only because
// it speaks another version of IP than the backend.
func TestTransparentOtherFamily(t *testing.T) {
	b := newBetween(t)
	p := b.start(at(front4.gateway, frontPort), back6.host)
	b.refusedSoon()
	must(t, p.Stop(labtest.Context(t, limit)))
	b.start(at(front4.gateway, frontPort), back6.host, back4.host)
	for range 3 {
		b.through(front4, back4)
	}
}

// TestTransparentRefuses: what can't work is said at the start, with what to do.
func TestTransparentRefuses(t *testing.T) {
	b := newBetween(t)
	for name, c := range map[string]struct {
		backends []string
		file     string // set to 1 meanwhile
		err      string
		warning  string
	}{
		"fine":            {backends: []string{"10.2.0.2", "fd00:2::2"}},
		"itself":          {backends: []string{"10.2.0.1"}, err: "it is this host itself"},
		"itself, IPv6":    {backends: []string{"fd00:2::1"}, err: "it is this host itself"},
		"marks count":     {backends: []string{"10.2.0.2"}, file: "back0/src_valid_mark", err: "src_valid_mark is 1: set it to 0"},
		"all marks count": {backends: []string{"10.2.0.2"}, file: "all/src_valid_mark", err: "src_valid_mark is 1: set it to 0"},
		"no route":        {backends: []string{"192.0.2.1"}, warning: "there is no route to backend 192.0.2.1"},
		"a gateway":       {backends: []string{"198.51.100.7"}, warning: "reached through 10.2.0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, b.balancer.Do(func() error { return checks(t, c.backends, c.file, c.err, c.warning) }))
		})
	}
}

func checks(t *testing.T, backends []string, file, want, warning string) error {
	to, err := netlink.ParseIPNet("198.51.100.0/24")
	if err != nil {
		return err
	}
	if err := netlink.RouteReplace(&netlink.Route{Dst: to, Gw: back4.host.Addr().AsSlice()}); err != nil {
		return err
	}
	if file = "/proc/sys/net/ipv4/conf/" + file; !strings.HasSuffix(file, "/") {
		if err := os.WriteFile(file, []byte("1"), 0); err != nil {
			return err
		}
		defer func() { must(t, os.WriteFile(file, []byte("0"), 0)) }()
	}
	var all []netip.Addr
	for _, b := range backends {
		all = append(all, netip.MustParseAddr(b))
	}
	warnings, err := vip.CheckAnswers(all)
	if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if got := strings.Join(warnings, ""); (got != "") != (warning != "") || !strings.Contains(got, warning) {
		t.Errorf("warnings %q, want %q", got, warning)
	}
	return nil
}
