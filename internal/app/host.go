package app

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
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
// addresses, if there are such; what is in the way is said.
func (a *App) keepAnswers() error {
	var backends []netip.Addr
	transparent := false
	for _, s := range a.services {
		if transparent = transparent || s.cfg.Transparent; s.cfg.Transparent {
			for _, b := range s.targets.list() {
				backends = append(backends, b.Address.Addr())
			}
		}
	}
	if !transparent {
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

// ownFiles is how many files a process has open besides those of its connections,
// amply.
const ownFiles = 200

// tellBudget says what the configured connections need. Where that is more open
// files than this process may have it warns: clients would have to wait long before
// the limit that somebody has chosen.
func (a *App) tellBudget() {
	connections := 0
	for _, s := range a.services {
		connections += s.cfg.Limits.Connections
	}
	b := proxy.BudgetOf(connections, a.opts.Loops)
	need := uint64(b.Descriptors + ownFiles)
	var may unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &may); err != nil {
		may.Cur = math.MaxUint64 // it can't be told
	}
	told := []any{
		"connections", connections, "files", need, "may", may.Cur,
		"idle", fmt.Sprintf("%d MiB", b.Idle>>20), "most", fmt.Sprintf("%d MiB", b.Most>>20),
	}
	if need > may.Cur {
		a.log.Warn("all connections that limits.connections allows need more open files than this process may have:"+
			" raise the limit (LimitNOFILE=, ulimit -n) or lower limits.connections", told...)
		return
	}
	a.log.Info("what all connections that limits.connections allows need, besides the kernel's buffers", told...)
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
func Cleanup(log *slog.Logger) error { return vip.Cleanup(log) }
