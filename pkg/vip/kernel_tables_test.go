package vip

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

var fenceFamilies = []nftables.TableFamily{
	nftables.TableFamilyARP, nftables.TableFamilyINet, nftables.TableFamilyNetdev}

// dropTables removes, as an operator would, the tables of the test's fence in
// some families.
func dropTables(families ...nftables.TableFamily) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	for _, f := range families {
		conn.DelTable(&nftables.Table{Family: f, Name: FencePrefix})
	}
	return conn.Flush()
}

func flushRuleset() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	conn.FlushRuleset()
	return conn.Flush()
}

// ownerless makes the fence anew as on kernels before 6.9, which know no
// persistent owner: anybody can remove it.
func (r *fenceRig) ownerless() {
	r.Helper()
	if err := r.unfence(); err != nil {
		r.Fatal(err)
	}
	r.flags = []uint32{0}
	if err := r.prepare(); err != nil {
		r.Fatal(err)
	}
	if err := r.follow(r.on); err != nil {
		r.Fatal(err)
	}
}

// Arm brings back what somebody has removed, closed, whatever was on.
func TestKernelFenceIsMended(t *testing.T) {
	for name, drop := range map[string]func() error{
		"flush ruleset": flushRuleset,
		"all tables":    func() error { return dropTables(fenceFamilies...) },
		"arp":           func() error { return dropTables(nftables.TableFamilyARP) },
		"inet":          func() error { return dropTables(nftables.TableFamilyINet) },
		"netdev":        func() error { return dropTables(nftables.TableFamilyNetdev) },
	} {
		t.Run(name, func(t *testing.T) {
			r := fenced(t, testVIP)
			r.ownerless()
			r.opened(time.Minute)
			r.host.do(t, drop)
			r.attempt++
			if err := r.arm(r.attempt, time.Minute); err != nil {
				t.Fatal(err)
			}
			mended := time.Now()
			<-time.After(grace)
			r.silent("mended", mended.Add(transit), time.Now())
			if err := r.open(r.attempt, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			sender := r.host.wire(t, hostIf, testVIP)
			hw := r.host.hardwareAddr(t, hostIf)
			sender.asking(map[string][]byte{"": ethernetFrame(hw, broadcastHW, unix.ETH_P_ARP, arpBody(2, hw, testVIP, hw, testVIP))})
			open := time.Now()
			if !r.wire.until(open, open.Add(10*time.Second), append(r.kinds, "announcement")...) {
				t.Errorf("mended and open: answers %v", r.wire.between(open, time.Now()))
			}
			if err := r.shut(); err != nil {
				t.Fatal(err)
			}
			shut := time.Now()
			<-time.After(grace)
			r.silent("shut, announcements too", shut.Add(transit), time.Now())
		})
	}
}

// Shutting brings a fence that is half gone back, closed.
func TestKernelFenceShutMends(t *testing.T) {
	r := fenced(t, testVIP)
	r.ownerless()
	r.opened(time.Minute)
	r.host.do(t, func() error { return dropTables(nftables.TableFamilyARP) })
	if err := r.shut(); err != nil {
		t.Fatal(err)
	}
	shut := time.Now()
	<-time.After(grace)
	r.silent("shut", shut.Add(transit), time.Now())
}

// Nobody else removes a fence whose process lives; what it leaves is closed, and
// anybody's to remove.
func TestKernelFenceIsOwned(t *testing.T) {
	r := fenced(t, testVIP)
	r.opened(time.Minute)
	r.host.do(t, flushRuleset)
	for _, f := range fenceFamilies {
		if err := <-r.host.start(func() error { return dropTables(f) }); !errors.Is(err, unix.EPERM) {
			t.Errorf("removing the table of family %d says %v", f, err)
		}
	}
	second := fenceOfOne(r.cfg)
	defer second.hangUp()
	r.host.do(t, func() error {
		if err := second.prepare(); err == nil || !strings.Contains(err.Error(), "another running kshalb") {
			return fmt.Errorf("a second process is told %w", err)
		}
		if err := second.arm(1, time.Minute); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("a second process that arms is told %w", err)
		}
		return nil
	})
	if got := allTables(t, r.host); len(got) != 3 {
		t.Errorf("tables %v", got)
	}
	start := time.Now()
	if !r.wire.until(start, start.Add(10*time.Second), r.kinds...) {
		t.Error("it answers no more")
	}
	r.oneFence.hangUp()
	if got := allTables(t, r.host); len(got) != 3 {
		t.Errorf("tables that persist: %v", got)
	}
	r.host.do(t, second.prepare)
	if err := second.unfence(); err != nil {
		t.Error(err)
	}
	if got := allTables(t, r.host); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
	if err := r.arm(99, time.Second); !errors.Is(err, errIdle) {
		t.Errorf("arming what is closed says %v", err)
	}
}

// A fence touches no table but its own, and Cleanup none but fences.
func TestKernelFenceLeavesOthersAlone(t *testing.T) {
	host, _ := cable(t)
	foreign := []string{"kshalb-fences", "xkshalb-fence"}
	host.do(t, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		for _, name := range foreign {
			for _, f := range fenceFamilies {
				conn.AddTable(&nftables.Table{Family: f, Name: name})
			}
		}
		conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: FencePrefix})
		return conn.Flush()
	})
	before := allTables(t, host)
	var log bytes.Buffer
	host.do(t, func() error {
		h := fenceOfOne(testConfig())
		err := errors.Join(leaveOld(), h.prepare(), h.arm(1, time.Minute), h.open(1, time.Now().Add(time.Minute)), h.shut())
		h.hangUp()
		return errors.Join(err, Cleanup(slog.New(slog.NewTextHandler(&log, nil))))
	})
	if after := allTables(t, host); !slices.Equal(before, after) {
		t.Errorf("tables were %v and are %v", before, after)
	}
	for _, want := range []string{`"arp kshalb-fence"`, `"inet kshalb-fence"`, `"netdev kshalb-fence"`, `"inet kshalb-fence_test"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("Cleanup does not tell of %s:\n%s", want, log.String())
		}
	}
}

// leaveOld leaves a table of a version that had one for each VIP.
func leaveOld() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "kshalb-fence_test"})
	return conn.Flush()
}

// Cleanup removes no fence of a daemon that lives.
func TestKernelCleanupOfLivingFence(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		h := fenceOfOne(testConfig())
		defer h.hangUp()
		if err := h.prepare(); err != nil {
			return err
		}
		if err := Cleanup(testLog()); err == nil || !strings.Contains(err.Error(), "another running kshalb") {
			return fmt.Errorf("Cleanup says %w", err)
		}
		return nil
	})
	if got := allTables(t, host); len(got) != 3 {
		t.Errorf("tables %v", got)
	}
}
