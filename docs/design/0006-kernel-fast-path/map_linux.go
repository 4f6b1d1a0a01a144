package sockmap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"
)

// Map is the maps and the program in the kernel. Its methods may be called
// concurrently for different connections.
type Map struct {
	coll   *ebpf.Collection
	flows  []byte // of the kernel, shared
	events *ringbuf.Reader
}

// Open loads the program and makes room for so many connections. It needs
// CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (or CAP_SYS_ADMIN) and a kernel that
// tells its types (CONFIG_DEBUG_INFO_BTF); before Linux 5.11 RLIMIT_MEMLOCK
// counts as well.
func Open(conns uint32) (*Map, error) { return open(conns, careful) }

func open(conns uint32, v variant) (*Map, error) {
	o, err := kernelOffsets()
	if err != nil {
		return nil, err
	}
	coll, err := ebpf.NewCollection(spec(conns, o, v))
	if err != nil {
		return nil, fmt.Errorf("load the program: %w", err)
	}
	m := &Map{coll: coll}
	if err := m.start(int(conns)); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Map) start(conns int) (err error) {
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: m.coll.Maps["socks"].FD(), Program: m.coll.Programs["verdict"], Attach: ebpf.AttachSkSKBStreamVerdict,
	})
	if err != nil {
		return fmt.Errorf("attach the program to the sockets: %w", err)
	}
	m.flows, err = unix.Mmap(m.coll.Maps["flows"].FD(), 0, 2*conns*flowSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the flows into memory: %w", err)
	}
	if m.events, err = ringbuf.NewReader(m.coll.Maps["events"]); err != nil {
		return fmt.Errorf("open the ring of events: %w", err)
	}
	return nil
}

// Close gives back all. The sockets leave the map, at the peril of what they
// receive meanwhile: close them before.
func (m *Map) Close() error {
	var errs []error
	if m.events != nil {
		errs = append(errs, m.events.Close())
	}
	if m.flows != nil {
		errs = append(errs, unix.Munmap(m.flows))
		m.flows = nil
	}
	m.coll.Close()
	return errors.Join(errs...)
}

// Run tells which flows went over from redirecting to user space, or broke,
// until ctx ends. A socket that redirects needs no EPOLLIN for that, which would
// wake its reader for each message (net/core/skmsg.c, sk_psock_verdict_data_ready).
func (m *Map) Run(ctx context.Context, passing func(key uint32)) error {
	defer context.AfterFunc(ctx, func() { _ = m.events.Close() })()
	for {
		r, err := m.events.Read()
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("read the ring of events: %w", err)
		case len(r.RawSample) >= 4:
			passing(binary.NativeEndian.Uint32(r.RawSample))
		}
	}
}

// Promote puts both sockets of connection id into the map: flow 2*id is what a
// receives, flow 2*id+1 what b does. Of each the last read must have found
// nothing (EAGAIN), none may follow before Promote, and all that was read must
// have been written: the kernel hands over whole messages, those that were read
// in part too. Both must be established. When it fails for b, a is in the map
// all the same, and what it receives goes to user space.
func (m *Map) Promote(id uint32, a, b int) error {
	if err := m.insert(2*id, a); err != nil {
		return err
	}
	return m.insert(2*id+1, b)
}

// insert puts a socket into the map.
func (m *Map) insert(key uint32, fd int) error {
	for at := 0; at < flowSize; at += 8 {
		m.word64(key, at).Store(0)
	}
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return fmt.Errorf("ask for a socket's cookie: %w", err)
	}
	if err := m.coll.Maps["keys"].Put(cookie, key); err != nil {
		return fmt.Errorf("put a socket's key into the map: %w", err)
	}
	if err := m.coll.Maps["socks"].Put(key, uint64(fd)); err != nil {
		return fmt.Errorf("put a socket into the map: %w", errors.Join(err, m.coll.Maps["keys"].Delete(cookie)))
	}
	return nil
}

// forget gives back what a socket that is about to be closed has in the maps.
func (m *Map) forget(fd int) {
	if cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil {
		_ = m.coll.Maps["keys"].Delete(cookie) // else it was never there
	}
}

// remove takes a socket out of the map, which is not safe while bytes arrive:
// TestDeletePassed, TestDeleteRedirected.
func (m *Map) remove(key uint32) error { return m.coll.Maps["socks"].Delete(key) }

func (m *Map) word64(key uint32, at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&m.flows[int(key)*flowSize+at]))
}
