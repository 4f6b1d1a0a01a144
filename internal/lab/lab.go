package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
)

// Lab is a switch and the hosts on it. Its methods are safe for concurrent use.
type Lab struct {
	dir     string
	sw      *netSwitch
	starter *starter

	mu      sync.Mutex
	closed  bool
	hosts   []*Host
	watches []*Watch
	procs   []*Process
	undo    []func() // run last to first by Close
}

// maxHosts is bounded by the last byte of their MAC addresses.
const maxHosts = 250

// ErrClosed is returned by what a closed lab is asked for.
var ErrClosed = errors.New("the lab is closed")

// New makes a lab without hosts. It needs what [Missing] looks for; the error
// names the first step that the kernel refused.
func New() (*Lab, error) {
	l := &Lab{}
	if err := l.build(); err != nil {
		return nil, fmt.Errorf("make a lab: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

func (l *Lab) build() error {
	files, dir, err := newFiles()
	if err != nil {
		return err
	}
	l.dir = dir
	l.undo = append(l.undo, func() { files.Close() })

	if l.sw, err = newSwitch(); err != nil {
		return err
	}
	l.undo = append(l.undo, l.sw.close)

	l.starter = newStarter()
	l.undo = append(l.undo, l.starter.close)
	return nil
}

// Dir is a directory for files that are gone when the lab is closed, or this
// process ended. Processes of the lab reach it by the same path.
func (l *Lab) Dir() string { return l.dir }

// Hosts returns the hosts in the order in which they were added.
func (l *Lab) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Host(nil), l.hosts...)
}

// AddHost adds a host with a cable to the switch. Its interface eth0 is up and
// has the addresses, loopback is up too. The name must be unique and fit for a
// directory; up to 250 hosts are possible.
func (l *Lab) AddHost(name string, addrs ...netip.Prefix) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("add host %s: %w", name, ErrClosed)
	}
	for _, h := range l.hosts {
		if h.name == name {
			return nil, fmt.Errorf("add host %s: there is one already", name)
		}
	}
	if len(l.hosts) == maxHosts {
		return nil, fmt.Errorf("add host %s: there are %d already", name, maxHosts)
	}
	h, err := newHost(l, name, len(l.hosts)+1, addrs)
	if err != nil {
		return nil, fmt.Errorf("add host %s: %w", name, err)
	}
	l.hosts = append(l.hosts, h)
	l.undo = append(l.undo, h.ns.close)
	return h, nil
}

// Path is one direction between two hosts of a lab.
type Path struct{ From, To *Host }

// Between returns the paths between two groups of hosts, both ways.
func Between(a, b []*Host) []Path {
	var paths []Path
	for _, x := range a {
		for _, y := range b {
			paths = append(paths, Path{x, y}, Path{y, x})
		}
	}
	return paths
}

// Block drops every frame on paths, from one moment on for all, until Unblock.
func (l *Lab) Block(paths ...Path) error { return l.sw.wall.set(paths, true) }

// Unblock undoes Block, at one moment for all paths.
func (l *Lab) Unblock(paths ...Path) error { return l.sw.wall.set(paths, false) }

// Owners returns the names of the hosts that have ip on an interface right now.
func (l *Lab) Owners(ip netip.Addr) ([]string, error) {
	var owners []string
	for _, h := range l.Hosts() {
		has, err := h.Has(ip)
		if err != nil {
			return nil, err
		}
		if has {
			owners = append(owners, h.name)
		}
	}
	return owners, nil
}

// Close kills the processes, waits for them, and takes everything away. It
// returns when that is done; calls after the first do nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	procs, watches, undo := l.procs, l.watches, l.undo
	l.mu.Unlock()

	var errs []error
	for _, w := range watches {
		errs = append(errs, w.Close())
	}
	for _, p := range procs {
		errs = append(errs, p.Kill())
	}
	for i := len(undo) - 1; i >= 0; i-- {
		undo[i]()
	}
	return errors.Join(errs...)
}

// hostDir makes the directory of a host's files.
func (l *Lab) hostDir(name string) (string, error) {
	dir := l.dir + "/" + name
	return dir, os.Mkdir(dir, 0o700)
}
