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

// FencePrefix is the name of the nftables tables of a fence, in families arp,
// inet and netdev. Earlier versions had tables for each VIP, whose name followed
// after '_'; Cleanup removes both.
const FencePrefix = "kshalb-fence"

// tablePersist is NFT_TABLE_F_PERSIST of linux/netfilter/nf_tables.h, since 6.9:
// a table with an owner stays when the owner is gone. A fence without an owner
// can be flushed by anybody; one that goes with its owner would be open as soon
// as the owner is killed.
const tablePersist = 4

// fences keeps the tables of the fence of all VIPs.
type fences struct {
	vips  []netip.Addr      // by their number
	index map[string]uint32 // numbers of VIPs, by name

	flags []uint32 // for the tables: the first that the kernel takes
	dial  func() (filter, error)

	waiting waiting // switches that no transaction has taken up

	mu       sync.Mutex        // a transaction at a time
	socket   filter            // makes the tables and owns them; nil: before prepare, after hangUp
	families []byte            // those with a table; nil: not built
	on       map[uint32]uint64 // what the maps "on" are to say, by number of the VIP
	noEgress error             // why there is no egress chain
	links    map[string]link   // the last one followed, by VIP
	chains   map[link]bool     // egress chains that may be there
}

// filter is where transactions go.
type filter interface {
	// commit returns when the kernel has done t; an error does not say that it
	// has not.
	commit(t *transaction) error
	hangUp()
}

func newFences(vips map[string]netip.Addr) *fences {
	f := &fences{
		index: map[string]uint32{}, flags: []uint32{tableOwner | tablePersist, 0}, dial: dialFilter,
		on: map[uint32]uint64{}, links: map[string]link{}, chains: map[link]bool{},
	}
	for i, name := range names(vips) {
		f.vips = append(f.vips, vips[name])
		f.index[name] = uint32(i)
	}
	return f
}

// errIdle says that no Run runs: only it opens the socket, since it is the
// one that is certainly in the VIPs' network namespace.
var errIdle = errors.New("no manager of the fence runs")

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
	if f.families != nil {
		return nil
	}
	return f.build()
}

// build makes the tables, closed for all VIPs, in place of any of their names.
// Without one in family netdev only announcements go unguarded. Called with mu.
func (f *fences) build() error {
	needed := []byte{unix.NFPROTO_ARP, unix.NFPROTO_INET}
	if !slices.ContainsFunc(f.vips, netip.Addr.Is4) {
		needed = needed[1:]
	}
	f.families = nil
	clear(f.on)
	clear(f.chains)
	all := append(slices.Clone(needed), unix.NFPROTO_NETDEV)
	err := f.make(all)
	if lacksPiece(err) {
		f.noEgress = fmt.Errorf("make table netdev %s: %w; the kernel lacks CONFIG_NF_TABLES_NETDEV", FencePrefix, err)
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

// lacksPiece reports whether err, of a transaction that needs nothing but what
// it makes itself, says that the kernel lacks a piece.
func lacksPiece(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAFNOSUPPORT) || lacksTables(err)
}

// judge tells what the kernel lacks from what went wrong.
func (f *fences) judge(err error) error {
	if lacksPiece(err) {
		return fmt.Errorf("make fence %s: %w: %w (modprobe nf_tables; CONFIG_NF_TABLES_INET, CONFIG_NF_TABLES_ARP)", FencePrefix, errNoFence, err)
	}
	return explainFence("make", err)
}

func (f *fences) arm(attempts map[string]uint64, lease time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket == nil {
		return errIdle
	}
	if f.families != nil {
		err := f.socket.commit(f.armed(attempts, lease))
		if !errors.Is(err, unix.ENOENT) {
			return explainFence("arm", err)
		}
	}
	// Never built, or somebody has removed a table of it: nft flush ruleset.
	if err := f.build(); err != nil {
		return err
	}
	return explainFence("arm", f.socket.commit(f.armed(attempts, lease)))
}

// armed adds attempts to the set of each table. NLM_F_EXCL: where the kernel still
// has one, its time is not begun anew.
func (f *fences) armed(attempts map[string]uint64, lease time.Duration) *transaction {
	var all []element
	for _, name := range names(attempts) {
		all = append(all, element{key: append(number(f.index[name]), key(attempts[name])...), timeout: lease})
	}
	var t transaction
	for _, family := range f.families {
		t.addElements(family, armedSet, unix.NLM_F_CREATE|unix.NLM_F_EXCL, all)
	}
	return &t
}

// key is an attempt as the sets know it: the low 32 bits, which come again after
// 13 years of 10 attempts a second, in the byte order in which nft shows marks.
func key(attempt uint64) []byte { return number(uint32(attempt)) }

func number(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func (f *fences) unfence() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket == nil || f.families == nil {
		return nil
	}
	var t transaction
	for _, family := range f.families {
		t.removeTable(family)
	}
	if err := f.socket.commit(&t); err != nil {
		return explainFence("remove", err)
	}
	f.families = nil
	return nil
}

// hangUp gives up the tables; with them or without, nothing is armed after it.
func (f *fences) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket != nil {
		f.socket.hangUp()
	}
	f.socket, f.families, f.noEgress = nil, nil, nil
	clear(f.on)
	clear(f.links)
	clear(f.chains)
}

func explainFence(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s fence %s: %w; run as root or with CAP_NET_ADMIN, and stop another running kshalb if the table is its own",
			what, FencePrefix, err)
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%s fence %s: %w; each attempt needs a number of its own", what, FencePrefix, err)
	}
	return fmt.Errorf("%s fence %s: %w", what, FencePrefix, err)
}
