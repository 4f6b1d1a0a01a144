package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is an unnamed network namespace. It lives as long as its
// descriptor, or a socket or process in it.
type namespace struct {
	mu sync.Mutex // around uses of fd
	fd netns.NsHandle
	nl *netlink.Handle
}

// newNamespace makes a namespace with its loopback interface up.
func newNamespace() (*namespace, error) {
	n := &namespace{fd: netns.None()}
	if err := n.open(); err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	nl, err := netlink.NewHandleAt(n.fd, unix.NETLINK_ROUTE)
	if err != nil {
		n.close()
		return nil, fmt.Errorf("open netlink in a new namespace: %w", err)
	}
	n.nl = nl
	if err := errors.Join(loopbackUp(nl), n.do(withoutDAD)); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// withoutDAD lets link-local addresses of interfaces to come be usable at once,
// and not when nobody has contradicted for a second or two.
func withoutDAD() error {
	const file = "/proc/sys/net/ipv6/conf/default/accept_dad"
	if err := os.WriteFile(file, []byte("0"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) { // no IPv6
		return fmt.Errorf("switch duplicate address detection off: %w", err)
	}
	return nil
}

// loopbackUp sets loopback up in a new namespace, where it is down.
func loopbackUp(nl *netlink.Handle) error {
	lo, err := nl.LinkByName("lo")
	if err == nil {
		err = nl.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("set loopback up in a new namespace: %w", err)
	}
	return nil
}

func (n *namespace) open() error {
	return away(func() error {
		fd, err := netns.New()
		n.fd = fd
		return err
	})
}

// do runs f on a thread that is in the namespace. Goroutines that f starts are
// not in it; sockets that f opens stay in it.
func (n *namespace) do(f func() error) error {
	return away(func() error {
		if err := n.enter(); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// enter does not meet a close: the number of the descriptor may be another one's
// after it.
func (n *namespace) enter() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fd.IsOpen() {
		return ErrClosed
	}
	return netns.Set(n.fd)
}

// away runs f, which may change the thread's network namespace, and goes back.
// A thread that can't go back stays locked to the goroutine, so that it ends
// with it instead of serving others in a wrong namespace.
func away(f func() error) (err error) {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("find the thread's network namespace: %w", err)
	}
	defer func() {
		back := netns.Set(home)
		if back == nil {
			runtime.UnlockOSThread()
		} else {
			err = errors.Join(err, fmt.Errorf("leave a network namespace: %w", back))
		}
		err = errors.Join(err, home.Close())
	}()
	return f()
}

// close lets go of the namespace, which ends with what else is in it.
func (n *namespace) close() {
	if n.nl != nil {
		n.nl.Close()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd.IsOpen() {
		_ = n.fd.Close() // an open descriptor: nothing can go wrong
	}
}
