package vip

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// oldKernel is nf_tables as far as it can say what it lacks.
type oldKernel struct {
	flags    uint32                // those of tables that it knows
	families map[byte]unix.Errno   // those that it does not know, and what it says
	egress   unix.Errno            // what it says to an egress chain
	errs     map[string]unix.Errno // what it says to other transactions, by what is in them
	asked    int
	made     []byte
	with     uint32
	closed   bool
}

func (k *oldKernel) hangUp() { k.closed = true }

func (k *oldKernel) commit(t *transaction) error {
	k.asked++
	var families []byte
	var with uint32
	for _, r := range t.requests {
		wire := r.Serialize()
		family := wire[unix.SizeofNlMsghdr]
		switch kind := int(r.Type) &^ (unix.NFNL_SUBSYS_NFTABLES << 8); {
		case kind == unix.NFT_MSG_NEWTABLE && r.Flags&unix.NLM_F_EXCL != 0:
			if errno := k.families[family]; errno != 0 {
				return errno
			}
			with = uint32(wire[len(wire)-1]) // the flags are the last attribute
			if with&^k.flags != 0 {
				return unix.EOPNOTSUPP
			}
			families = append(families, family)
		case kind == unix.NFT_MSG_DELRULE && k.egress != 0:
			return k.egress
		case kind == unix.NFT_MSG_NEWSETELEM && k.errs["element"] != 0:
			return k.errs["element"]
		}
	}
	if families != nil {
		k.made, k.with = families, with
	}
	return nil
}

func TestKernelsThatLackPieces(t *testing.T) {
	const arp, inet, netdev = unix.NFPROTO_ARP, unix.NFPROTO_INET, unix.NFPROTO_NETDEV
	both := uint32(tableOwner | tablePersist)
	for name, test := range map[string]struct {
		k        oldKernel
		families []byte // nil: there is no fence
		with     uint32
		exposed  bool
	}{
		"6.9":               {oldKernel{flags: both}, []byte{arp, inet, netdev}, both, false},
		"never OWNER alone": {oldKernel{flags: tableOwner}, []byte{arp, inet, netdev}, 0, false},
		"no flags":          {oldKernel{}, []byte{arp, inet, netdev}, 0, false},
		"no egress":         {oldKernel{egress: unix.EOPNOTSUPP}, []byte{arp, inet, netdev}, 0, true},
		"no netdev":         {oldKernel{flags: both, families: map[byte]unix.Errno{netdev: unix.ENOENT}}, []byte{arp, inet}, both, true},
		"no netdev, old":    {oldKernel{families: map[byte]unix.Errno{netdev: unix.EAFNOSUPPORT}}, []byte{arp, inet}, 0, true},
		"no arp":            {oldKernel{flags: both, families: map[byte]unix.Errno{arp: unix.ENOENT}}, nil, 0, false},
		"no inet":           {oldKernel{flags: both, families: map[byte]unix.Errno{inet: unix.EOPNOTSUPP}}, nil, 0, false},
		"no nf_tables":      {oldKernel{families: map[byte]unix.Errno{arp: unix.EINVAL}}, nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := fenceOfOne(testConfig())
			f.dial = func() (filter, error) { return &test.k, nil }
			err := f.prepare()
			if lacking := errors.Is(err, errNoFence); lacking != (test.families == nil) || !lacking && err != nil {
				t.Fatalf("prepare says %v", err)
			}
			if !slices.Equal(test.k.made, test.families) || test.k.with != test.with {
				t.Errorf("made tables of families %v with flags %d", test.k.made, test.k.with)
			}
			if err == nil {
				if err := f.follow(link{7, "eth0"}); (err != nil) != test.exposed {
					t.Errorf("follow says %v", err)
				}
				asked := test.k.asked
				if err := f.follow(link{7, "eth0"}); (err != nil) != test.exposed || test.exposed && test.k.asked != asked {
					t.Errorf("follow says %v, and asked the kernel %d times more", err, test.k.asked-asked)
				}
			}
			f.hangUp()
			if !test.k.closed {
				t.Error("the socket is open")
			}
		})
	}
}

// Failures that say nothing of the kernel's pieces stay failures.
func TestFailedBuildIsNoLack(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.EPERM: "another running kshalb", unix.ENOMEM: "cannot allocate", unix.ENOBUFS: "no buffer space",
	} {
		f := fenceOfOne(testConfig())
		k := &oldKernel{families: map[byte]unix.Errno{unix.NFPROTO_ARP: errno}}
		f.dial = func() (filter, error) { return k, nil }
		if err := f.prepare(); !errors.Is(err, errno) || errors.Is(err, errNoFence) || !strings.Contains(err.Error(), want) {
			t.Errorf("prepare says %v", err)
		}
		if err := f.arm(1, time.Second); !errors.Is(err, errno) {
			t.Errorf("arm says %v", err)
		}
		k.families = nil
		if err := f.arm(2, time.Second); err != nil {
			t.Errorf("arm says %v after that", err)
		}
	}
	f := fenceOfOne(testConfig())
	f.dial = func() (filter, error) { return nil, unix.EPROTONOSUPPORT }
	if err := f.prepare(); !errors.Is(err, errNoFence) {
		t.Errorf("prepare says %v where there are no netfilter sockets", err)
	}
}

// An attempt is armed once, whatever the kernel says: an error may be wrong.
func TestArmAsksOnce(t *testing.T) {
	f := fenceOfOne(testConfig())
	k := &oldKernel{}
	f.dial = func() (filter, error) { return k, nil }
	if err := f.prepare(); err != nil {
		t.Fatal(err)
	}
	k.errs = map[string]unix.Errno{"element": unix.ENOBUFS}
	asked := k.asked
	if err := f.arm(1, time.Second); !errors.Is(err, unix.ENOBUFS) || k.asked != asked+1 {
		t.Errorf("arm says %v after %d questions", err, k.asked-asked)
	}
}

// Before Run and after it there is nothing to arm.
func TestIdleFence(t *testing.T) {
	f := fenceOfOne(testConfig())
	if err := f.arm(1, time.Second); !errors.Is(err, errIdle) {
		t.Errorf("arm says %v", err)
	}
	if err := f.open(1, time.Now().Add(time.Hour)); !errors.Is(err, errIdle) {
		t.Errorf("open says %v", err)
	}
	if err := f.open(1, time.Now()); !errors.Is(err, errPast) {
		t.Errorf("open says %v", err)
	}
	if err := f.follow(link{1, "lo"}); !errors.Is(err, errIdle) {
		t.Errorf("follow says %v", err)
	}
	if err := errors.Join(f.shut(), f.unfence()); err != nil {
		t.Errorf("closing and removing say %v", err)
	}
	f.hangUp()
}
