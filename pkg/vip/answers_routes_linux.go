package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AnswersRoutes is the number of the routing table in which all addresses are this
// host's. Its routes and the rules that lead to it have Proto as their origin;
// nothing else of it is ever touched.
const AnswersRoutes = 27499

// answersPriority comes before the main table, where the clients are elsewhere.
const answersPriority = 99

// families are those that have routes here.
func families() []int {
	off, err := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
	if err != nil || strings.TrimSpace(string(off)) != "0" {
		return []int{unix.AF_INET}
	}
	return []int{unix.AF_INET, unix.AF_INET6}
}

// answersRoute is, in each family,
//
//	ip route add local default dev lo table AnswersRoutes proto Proto
func answersRoute(family int) *netlink.Route {
	all := &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	if family == unix.AF_INET6 {
		all = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	return &netlink.Route{
		Dst: all, Table: AnswersRoutes, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, LinkIndex: loopback, Protocol: Proto,
	}
}

// answersRule is, in each family,
//
//	ip rule add fwmark AnswersMark/AnswersMark lookup AnswersRoutes pref 99 proto Proto
func answersRule(family int) *netlink.Rule {
	mask := uint32(AnswersMark)
	r := netlink.NewRule()
	r.Family, r.Priority, r.Protocol = family, answersPriority, Proto
	r.Mark, r.Mask, r.Table = AnswersMark, &mask, AnswersRoutes
	return r
}

func addAnswersRoutes() error {
	for _, family := range families() {
		if err := notOthers(family); err != nil {
			return err
		}
		if err := netlink.RouteAdd(answersRoute(family)); err != nil {
			return fmt.Errorf("add a route to table %d: %w", AnswersRoutes, err)
		}
		if err := netlink.RuleAdd(answersRule(family)); err != nil {
			return fmt.Errorf("add a rule to look up table %d: %w", AnswersRoutes, err)
		}
	}
	return nil
}

// notOthers reports who else has put routes into the table.
func notOthers(family int) error {
	routes, err := dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(family, &netlink.Route{Table: AnswersRoutes}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return fmt.Errorf("list routes of table %d: %w", AnswersRoutes, err)
	}
	if len(routes) > 0 {
		return fmt.Errorf("use routing table %d: it has a route of somebody else (%s): remove it, or use another table there", AnswersRoutes, routes[0])
	}
	return nil
}

// removeAnswersRoutes removes rules, then routes, of ours; left says that a killed
// process has left them, which is worth a line.
func removeAnswersRoutes(log *slog.Logger, left bool) error {
	var errs []error
	did := func(what string, family int, err error) {
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESRCH): // there is none
		case err != nil:
			errs = append(errs, fmt.Errorf("remove the %s of table %d: %w", what, AnswersRoutes, err))
		case left:
			log.Info("left "+what+" removed", "table", AnswersRoutes, "ipv6", family == unix.AF_INET6)
		}
	}
	for _, family := range families() {
		rules, err := dump(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
		if err != nil {
			errs = append(errs, fmt.Errorf("list routing rules: %w", err))
		}
		for _, r := range rules {
			if r.Table == AnswersRoutes && r.Protocol == Proto {
				r.Family = family
				did("routing rule", family, netlink.RuleDel(&r))
			}
		}
		did("route", family, netlink.RouteDel(answersRoute(family))) // of this origin and type only
	}
	return errors.Join(errs...)
}
