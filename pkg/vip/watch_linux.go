package vip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// resubscribeAfter is the pause before another try to listen to the kernel.
const resubscribeAfter = time.Second

// groups are the kernel's words that Watch listens to.
var groups = []uint{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
}

// Watch calls changed, from its own goroutine, when an interface of the calling
// thread's network namespace comes, goes, or changes its flags (up, carrier),
// name or hardware address, when an address comes or goes, and when a connected route does; now and
// then once too often. [Manager.Recheck] and [Manager.Able] then tell what that
// means for a VIP. It calls it once at the beginning, too. It returns nil when ctx ends, and an error only when the kernel
// refuses to tell from the start. What it misses when it is told too much at once,
// it makes up for by one more call.
func Watch(ctx context.Context, changed func()) error {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, groups...)
	if err != nil {
		return fmt.Errorf("watch interfaces: %w", err)
	}
	changed() // what came before the subscription
	for {
		follow(ctx, s, changed)
		for s, err = nil, unix.EAGAIN; err != nil; {
			if ctx.Err() != nil {
				return nil
			}
			if s, err = nl.Subscribe(unix.NETLINK_ROUTE, groups...); err == nil {
				break
			}
			select {
			case <-time.After(resubscribeAfter):
			case <-ctx.Done():
			}
		}
		changed()
	}
}

// follow ends with ctx or with the subscription, which it closes.
func follow(ctx context.Context, s *nl.NetlinkSocket, changed func()) {
	stop := context.AfterFunc(ctx, s.Close)
	defer func() {
		if stop() {
			s.Close()
		}
	}()
	known := seen{links: make(map[int32]linkState), addresses: make(map[addressKey]bool)}
	for {
		msgs, from, err := s.Receive()
		if err != nil {
			return
		}
		differs := false
		for _, m := range msgs {
			if from.Pid == nl.PidKernel && known.update(m.Header.Type, m.Data) {
				differs = true
			}
		}
		if differs {
			changed()
		}
	}
}

// linkState is what matters of an interface.
type linkState struct {
	flags    uint32
	name, hw string
}

// addressKey is what tells two addresses apart.
type addressKey struct {
	index, prefix int
	local         netip.Addr
}

// seen is what has been heard of so far: interfaces by number, addresses that are
// there.
type seen struct {
	links     map[int32]linkState
	addresses map[addressKey]bool
}

// update takes a message of one of the groups (rtnetlink(7)) and reports whether
// it changed what matters.
func (s seen) update(kind uint16, m []byte) bool {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return s.link(kind, m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return s.address(kind, m)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return connectedRoute(m)
	}
	return false
}

// address knows a renewed lifetime from an address that is new.
func (s seen) address(kind uint16, m []byte) bool {
	a, err := parseAddress(m)
	if err != nil {
		return false
	}
	key := addressKey{a.index, a.prefix, a.local}
	if kind == unix.RTM_DELADDR {
		delete(s.addresses, key)
		return true
	}
	if s.addresses[key] {
		return false
	}
	s.addresses[key] = true
	return true
}

// connectedRoute reports whether a message is about a route of the main table
// through no gateway, and none of ours: others say nothing of where an address belongs, and some
// daemons change many of them.
func connectedRoute(m []byte) bool {
	const table, protocol = 4, 5 // offsets in struct rtmsg
	if len(m) < unix.SizeofRtMsg || len(m)%unix.RTA_ALIGNTO != 0 || m[table] != unix.RT_TABLE_MAIN || m[protocol] == Proto {
		return false
	}
	attrs, err := nl.ParseRouteAttr(m[unix.SizeofRtMsg:])
	return err == nil && !slices.ContainsFunc(attrs, func(a syscall.NetlinkRouteAttr) bool {
		return a.Attr.Type == unix.RTA_GATEWAY || a.Attr.Type == unix.RTA_VIA || a.Attr.Type == unix.RTA_MULTIPATH
	})
}

// link takes no notice of counters, or the state of a bridge's ports.
func (s seen) link(kind uint16, m []byte) bool {
	if len(m) < unix.SizeofIfInfomsg || m[0] != unix.AF_UNSPEC || len(m)%unix.RTA_ALIGNTO != 0 {
		return false
	}
	info := nl.DeserializeIfInfomsg(m)
	switch kind {
	case unix.RTM_DELLINK:
		delete(s.links, info.Index)
		return true
	case unix.RTM_NEWLINK:
		now := linkState{flags: info.Flags}
		now.name, now.hw = linkWords(m[unix.SizeofIfInfomsg:])
		if before, ok := s.links[info.Index]; ok && before == now {
			return false
		}
		s.links[info.Index] = now
		return true
	}
	return false
}

// linkWords are the name and the hardware address among a link's attributes.
func linkWords(attrs []byte) (name, hw string) {
	all, err := nl.ParseRouteAttr(attrs)
	if err != nil {
		return "", ""
	}
	for _, a := range all {
		switch a.Attr.Type {
		case unix.IFLA_IFNAME:
			name = strings.TrimRight(string(a.Value), "\x00")
		case unix.IFLA_ADDRESS:
			hw = string(a.Value)
		}
	}
	return name, hw
}
