package main

import (
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The roles call the kernel without telling Go's scheduler: each has one thread
// with work, and what the hand-over would cost is time that the balancer does
// not have. So nothing else may need that thread: see quiet in role.go.

// wait returns events of an epoll set after at most so many milliseconds.
func wait(epoll int, events []unix.EpollEvent, ms int) ([]unix.EpollEvent, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
	if errno == unix.EINTR {
		return nil, nil
	}
	if errno != 0 {
		return nil, fmt.Errorf("wait for events: %w", errno)
	}
	return events[:n], nil
}

// recv reads from a socket; with MSG_TRUNC among the flags TCP throws the bytes
// away instead of copying them (tcp(7)). No bytes and no error is the end.
func recv(fd int32, buf []byte, flags int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), uintptr(flags), 0, 0)
	return int(n), errno
}

func send(fd int32, buf []byte, flags int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), uintptr(flags|unix.MSG_NOSIGNAL), 0, 0)
	return int(n), errno
}

// watch adds a socket to an epoll set; events of it carry id.
func watch(epoll int, fd, id int32, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: id}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(fd), &e); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// socket makes a TCP socket for an address.
func socket(flags int) (int32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	return int32(fd), nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}
