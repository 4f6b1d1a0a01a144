package proxy

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is what moving bytes needs of the kernel. No call ever waits: it does
// what can be done now, EAGAIN if that is nothing.
type kernel interface {
	recv(fd int32, p []byte) (int, unix.Errno)
	send(fd int32, p []byte) (int, unix.Errno)
	splice(from, to, most int32) (int, unix.Errno)
}

// linux is the real kernel. A call that can't wait needs no word with the
// scheduler: it is made raw, on the loop's own thread.
type linux struct{}

func (linux) recv(fd int32, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	return int(n), errno
}

func (linux) send(fd int32, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func (linux) splice(from, to, most int32) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(n), errno
}

// finish sends a FIN.
func finish(fd int32) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return errno
}

// closeFD gives a descriptor back. Nothing is to be done about an error: it is
// given back in any case.
func closeFD(fd int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
