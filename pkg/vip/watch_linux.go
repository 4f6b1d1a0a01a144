package vip

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// resubscribeAfter is the pause before another try to listen to the kernel.
const resubscribeAfter = time.Second

// WatchLinks calls changed, from its own goroutine, at each change of flags
// (up, carrier), name or existence of an interface of the calling thread's
// network namespace; now and then once too often. It returns nil when ctx ends,
// and an error only when the kernel refuses to tell from the start. What it
// misses when it is told too much at once, it makes up for by one more call.
func WatchLinks(ctx context.Context, changed func()) error {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK)
	if err != nil {
		return fmt.Errorf("watch interfaces: %w", err)
	}
	for {
		followLinks(ctx, s, changed)
		for s, err = nil, unix.EAGAIN; err != nil; {
			if ctx.Err() != nil {
				return nil
			}
			if s, err = nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK); err == nil {
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

// followLinks ends with ctx or with the subscription, which it closes.
func followLinks(ctx context.Context, s *nl.NetlinkSocket, changed func()) {
	stop := context.AfterFunc(ctx, s.Close)
	defer func() {
		if stop() {
			s.Close()
		}
	}()
	known := make(linkStates)
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
	flags uint32
	name  string
}

// linkStates are those of interfaces that have been heard of, by number.
type linkStates map[int32]linkState

// update takes an RTM_NEWLINK or RTM_DELLINK message (rtnetlink(7)) and reports
// whether it changed what matters. Most do not: counters, addresses, the state
// of a bridge's ports.
func (s linkStates) update(kind uint16, m []byte) bool {
	if len(m) < unix.SizeofIfInfomsg || m[0] != unix.AF_UNSPEC || len(m)%unix.RTA_ALIGNTO != 0 {
		return false
	}
	info := nl.DeserializeIfInfomsg(m)
	switch kind {
	case unix.RTM_DELLINK:
		delete(s, info.Index)
		return true
	case unix.RTM_NEWLINK:
		now := linkState{info.Flags, linkName(m[unix.SizeofIfInfomsg:])}
		if before, ok := s[info.Index]; ok && before == now {
			return false
		}
		s[info.Index] = now
		return true
	}
	return false
}

func linkName(attrs []byte) string {
	all, err := nl.ParseRouteAttr(attrs)
	if err != nil {
		return ""
	}
	for _, a := range all {
		if a.Attr.Type == unix.IFLA_IFNAME {
			return strings.TrimRight(string(a.Value), "\x00")
		}
	}
	return ""
}
