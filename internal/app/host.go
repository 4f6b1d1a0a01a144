package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/pkg/vip"
)

// needed are the capabilities without which a VIP cannot float.
var needed = []struct {
	capability uint
	name, why  string
}{
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "add the VIP and its redirect"},
	{unix.CAP_NET_RAW, "CAP_NET_RAW", "announce the VIP by ARP"},
}

// keepAnswers has this host take the answers of backends that see clients'
// addresses, if there are such, until the end; what is in the way is said.
func (a *App) keepAnswers(listeners []config.Listener) error {
	var backends []netip.Addr
	transparent := false
	for _, l := range listeners {
		if !l.Transparent {
			continue
		}
		transparent = true
		for _, b := range l.Backends {
			backends = append(backends, b.Address.Addr())
		}
		if s := a.front.named(l.Name); s != nil {
			for _, b := range s.targets.list() { // those that were found, too
				backends = append(backends, b.Address.Addr())
			}
		}
	}
	if !transparent || len(a.answers) > 0 {
		return nil
	}
	warnings, err := vip.CheckAnswers(backends)
	for _, w := range warnings {
		a.log.Warn(w)
	}
	if err != nil {
		return err
	}
	stop, err := vip.KeepAnswers(a.log)
	if err == nil {
		a.answers.push(stop)
	}
	return err
}

// isLocal reports whether an address is one of this host's now.
func isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	local, err := localAddrs()
	return err == nil && slices.Contains(local, addr)
}

// checkHost asks what must be true before anything is opened: capabilities and
// interfaces. It changes nothing.
func (a *App) checkHost() error {
	if len(a.floats) == 0 {
		return nil
	}
	if err := checkCapabilities(); err != nil {
		return err
	}
	for _, f := range a.floats {
		err := f.manager.Able()
		switch {
		case errors.Is(err, vip.ErrForeign), errors.Is(err, vip.ErrNoInterface):
			return err
		case errors.Is(err, vip.ErrAsking):
		case err != nil: // may pass: no carrier yet, say
			a.log.Warn("this node cannot hold the VIP yet", "vip", f.cfg.Name, "reason", err)
		}
	}
	return nil
}

// spareProcessors gives the runtime as many processors more as there are event
// loops, until the returned func is called. A loop that waits for events may
// keep one for some milliseconds; without a spare one the lease's timers would
// be late by that.
func spareProcessors(loops int) (restore func()) {
	was := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(was + loops)
	return func() { runtime.GOMAXPROCS(was) }
}

// checkCapabilities names every capability that this process lacks.
func checkCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("ask for this process's capabilities: %w", err)
	}
	var missing []string
	for _, n := range needed {
		if data[n.capability/32].Effective&(1<<(n.capability%32)) == 0 {
			missing = append(missing, fmt.Sprintf("%s (to %s)", n.name, n.why))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this process lacks %s: run it as root, or give the container or the unit what is missing", strings.Join(missing, " and "))
}

// Cleanup removes the addresses and rules that a killed kshalb left on this
// host, found by their mark, and nothing else.
func Cleanup(log *slog.Logger) error {
	return errors.Join(vip.Cleanup(log), fault.Cleanup(log))
}
