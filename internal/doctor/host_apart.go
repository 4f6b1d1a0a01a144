package doctor

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// apart runs f on a thread of its own, which is in a new and empty network
// namespace from when f calls leave. What f makes in there is gone with the thread.
func apart(f func(leave func() error) error) error {
	done := make(chan error, 1)
	go runApart(f, done)
	return <-done
}

func runApart(f func(leave func() error) error, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // /proc/self is the main thread's, which never ends
		err := apart(f) // on another one: this one is taken
		runtime.UnlockOSThread()
		done <- err
		return
	}
	// The thread is never unlocked, so it ends with this goroutine.
	done <- f(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		return nil
	})
}

// raise brings an interface of this thread's namespace up.
func raise(link string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	ifreq, err := unix.NewIfreq(link)
	if err != nil {
		return err
	}
	ifreq.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq); err != nil {
		return fmt.Errorf("bring %s up: %w", link, err)
	}
	return nil
}

// mayNot reports whether an error says that this process lacks a right.
func mayNot(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) }
