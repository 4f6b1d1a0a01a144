package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// FencePrefix begins the names of the nftables tables of a fence, in families
// arp, inet and netdev; the VIP's name follows.
const FencePrefix = "kshalb-fence_"

// tablePersist is NFT_TABLE_F_PERSIST of linux/netfilter/nf_tables.h, since 6.9:
// a table with an owner stays when the owner is gone. A fence without an owner
// can be flushed by anybody; one that goes with its owner would be open as soon
// as the owner is killed.
const tablePersist = 4

// fences keeps the tables of one VIP's fence.
type fences struct {
	name string
	vip  netip.Addr

	flags []uint32 // for the tables: the first that the kernel takes
	dial  func() (filter, error)

	mu       sync.Mutex // a transaction at a time
	socket   filter     // makes the tables and owns them; nil: before prepare, after close
	families []byte     // those with a table; nil: not built
	noEgress error      // why there is no egress chain
	link     link       // the last one followed
}

// filter is where transactions go.
type filter interface {
	// commit returns when the kernel has done t; an error does not say that it
	// has not.
	commit(t *transaction) error
	hangUp()
}

func newFences(cfg Config) *fences {
	return &fences{
		name: FencePrefix + cfg.Name, vip: cfg.Address,
		flags: []uint32{tableOwner | tablePersist, 0}, dial: dialFilter,
	}
}

// errIdle says that Run does not run: only it opens the socket, since it is the
// one that is certainly in the VIP's network namespace.
var errIdle = errors.New("the manager does not run")

func (f *fences) prepare() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket == nil {
		s, err := f.dial()
		if err != nil {
			return f.judge(err)
		}
		f.socket = s
	}
	return f.build()
}

// build makes the tables, closed, in place of any of their names. Without one in
// family netdev only announcements go unguarded. Called with mu.
func (f *fences) build() error {
	needed := []byte{unix.NFPROTO_ARP, unix.NFPROTO_INET}
	if f.vip.Is6() {
		needed = needed[1:]
	}
	f.families = nil
	all := append(slices.Clone(needed), unix.NFPROTO_NETDEV)
	err := f.make(all)
	if lacksPiece(err) {
		f.noEgress = fmt.Errorf("make table netdev %s: %w; the kernel lacks CONFIG_NF_TABLES_NETDEV", f.name, err)
		all = needed
		err = f.make(all)
	}
	if err != nil {
		return f.judge(err)
	}
	f.families = all
	f.refollow()
	return nil
}

// make makes the tables with the best flags that this kernel takes.
func (f *fences) make(families []byte) (err error) {
	for _, flags := range f.flags {
		if err = f.socket.commit(f.closed(families, flags)); !lacksPiece(err) {
			break
		}
	}
	return err
}

// refollow brings back what a rebuilt fence has forgotten.
func (f *fences) refollow() {
	if f.link != (link{}) {
		_ = f.followLocked(f.link) // the next taking does so again, and tells
	}
}

// lacksPiece reports whether err, of a transaction that needs nothing but what
// it makes itself, says that the kernel lacks a piece.
func lacksPiece(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) || lacksTables(err)
}

// judge tells what the kernel lacks from what went wrong.
func (f *fences) judge(err error) error {
	switch {
	case lacksPiece(err):
		return fmt.Errorf("make fence %s: %w: %w (modprobe nf_tables; CONFIG_NF_TABLES_INET, CONFIG_NF_TABLES_ARP)", f.name, errNoFence, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("make fence %s: %w; run as root or with CAP_NET_ADMIN, and stop another running kshalb if the table is its own",
			f.name, err)
	}
	return fmt.Errorf("make fence %s: %w", f.name, err)
}

func (f *fences) arm(attempt uint64, lease time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket == nil {
		return errIdle
	}
	if f.families != nil {
		err := f.socket.commit(f.armed(attempt, lease))
		if !errors.Is(err, unix.ENOENT) {
			return f.explain("arm", err)
		}
	}
	// Never built, or somebody has removed a table of it: nft flush ruleset.
	if err := f.build(); err != nil {
		return err
	}
	return f.explain("arm", f.socket.commit(f.armed(attempt, lease)))
}

// armed adds attempt to the set of each table. NLM_F_EXCL: where the kernel still
// has it, its time is not begun anew.
func (f *fences) armed(attempt uint64, lease time.Duration) *transaction {
	var t transaction
	for _, family := range f.families {
		t.addElement(family, f.name, armedSet, unix.NLM_F_CREATE|unix.NLM_F_EXCL, key(attempt), nil, lease)
	}
	return &t
}

// key is an attempt as the sets know it: the low 32 bits, which come again after
// 13 years of 10 attempts a second, in the byte order in which nft shows marks.
func key(attempt uint64) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(attempt)) }

func (f *fences) open(attempt uint64, deadline time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if past(deadline) {
		return errPast
	}
	return f.explain("open", f.switchTo(key(attempt)))
}

func (f *fences) shut() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket == nil || f.families == nil {
		return nil
	}
	err := f.switchTo(nil)
	if errors.Is(err, unix.ENOENT) { // somebody has removed a table, and left another
		return f.build()
	}
	return f.explain("close", err)
}

// switchTo lets only attempt pass, or nothing. Called with mu.
func (f *fences) switchTo(attempt []byte) error {
	if f.socket == nil {
		return errIdle
	}
	if f.families == nil {
		return unix.ENOENT
	}
	var t transaction
	for _, family := range f.families {
		t.flushSet(family, f.name, onMap)
		if attempt != nil {
			t.addElement(family, f.name, onMap, unix.NLM_F_CREATE, key(0), attempt, 0)
		}
	}
	return f.socket.commit(&t)
}

func (f *fences) follow(l link) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.followLocked(l)
}

func (f *fences) followLocked(l link) error {
	switch {
	case f.socket == nil:
		return errIdle
	case f.families == nil:
		return unix.ENOENT
	case f.noEgress != nil:
		return f.noEgress
	}
	f.link = l
	err := f.socket.commit(f.egress(l))
	if errors.Is(err, unix.EOPNOTSUPP) {
		f.noEgress = fmt.Errorf("add an egress chain on %s: %w; the kernel has none (before Linux 5.16, or without CONFIG_NETFILTER_EGRESS)", l.name, err)
		return f.noEgress
	}
	return f.explain("guard announcements on "+l.name+" with", err)
}

func (f *fences) unfence() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket == nil || f.families == nil {
		return nil
	}
	var t transaction
	for _, family := range f.families {
		t.removeTable(family, f.name)
	}
	if err := f.socket.commit(&t); err != nil {
		return f.explain("remove", err)
	}
	f.families = nil
	return nil
}

// close gives up the tables; with them or without, nothing is armed after it.
func (f *fences) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket != nil {
		f.socket.hangUp()
	}
	f.socket, f.families, f.link, f.noEgress = nil, nil, link{}, nil
}

func (f *fences) explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s fence %s: %w; run as root or with CAP_NET_ADMIN, and stop another running kshalb if the table is its own", what, f.name, err)
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%s fence %s: %w; each attempt needs a number of its own", what, f.name, err)
	}
	return fmt.Errorf("%s fence %s: %w", what, f.name, err)
}
