package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Lack is something that a lab, or kshalb in it, needs and this machine refuses.
type Lack struct {
	What string // what was tried
	Err  error  // what the kernel said
	Fix  string // what to do
}

func (l Lack) String() string { return fmt.Sprintf("%s: %v; %s", l.What, l.Err, l.Fix) }

// Missing tries all that a lab and kshalb in it need, for real, in namespaces
// that are thrown away, and returns what failed. Without namespaces the rest
// can't be tried.
func Missing() []Lack {
	ns, err := newNamespace()
	if err != nil {
		return []Lack{{"make a network namespace", err, namespaceFix()}}
	}
	defer ns.close()
	var lacks []Lack
	for _, try := range []struct {
		what string
		do   func(*namespace) error
		fix  string
	}{
		{"make a bridge", tryBridge, module("bridge")},
		{"make a veth pair", tryVeth, module("veth")},
		{"open a packet socket", tryPacket, module("af_packet")},
		{"make an nftables table with NAT", tryNAT, module("nft_chain_nat nft_nat")},
		{"make a private tmpfs", tryFiles, "Linux 5.2 or newer is needed"},
	} {
		if err := try.do(ns); err != nil {
			lacks = append(lacks, Lack{try.what, err, try.fix})
		}
	}
	return lacks
}

func module(names string) string {
	return fmt.Sprintf("as root: modprobe -a %s (Ubuntu keeps some modules in a package of their own: apt-get install linux-modules-extra-$(uname -r))", names)
}

func tryBridge(*namespace) error {
	s, err := newSwitch()
	if err != nil {
		return err
	}
	s.close()
	return nil
}

func tryVeth(ns *namespace) error {
	s := &netSwitch{ns: ns}
	far, err := newNamespace()
	if err != nil {
		return err
	}
	defer far.close()
	_, err = s.plug("try", net.HardwareAddr{0x02, 0, 0, 0, 0, 1}, far)
	return err
}

func tryPacket(ns *namespace) error {
	return ns.do(func() error {
		lo, err := ns.nl.LinkByName("lo")
		if err != nil {
			return err
		}
		ifi := &net.Interface{Index: lo.Attrs().Index, Name: "lo"}
		conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, nil)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// tryNAT adds what kshalb adds on a master: a DNAT rule for a port, for packets
// from outside and for those of the host.
func tryNAT(ns *namespace) error {
	conn, err := nftables.New(nftables.WithNetNSFd(int(ns.fd)))
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "try"})
	for _, hook := range []*nftables.ChainHook{nftables.ChainHookPrerouting, nftables.ChainHookOutput} {
		chain := conn.AddChain(&nftables.Chain{
			Table: table, Name: fmt.Sprintf("hook%d", *hook), Type: nftables.ChainTypeNAT,
			Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
		})
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Immediate{Register: 1, Data: []byte{127, 0, 0, 1}},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
		}})
	}
	return conn.Flush()
}

func tryFiles(*namespace) error {
	f, dir, err := newFiles()
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(dir+"/try", nil, 0o600), f.Close())
}

// namespaceFix says why this process may not make network namespaces.
func namespaceFix() string {
	if os.Getuid() != 0 || isInside() {
		for _, s := range []struct{ file, bad, good, why string }{
			{"kernel/apparmor_restrict_unprivileged_userns", "1", "0", "AppArmor keeps ordinary users from it"},
			{"kernel/unprivileged_userns_clone", "0", "1", "ordinary users may not make user namespaces"},
			{"user/max_user_namespaces", "0", "10000", "user namespaces are switched off"},
		} {
			if b, err := os.ReadFile("/proc/sys/" + s.file); err == nil && strings.TrimSpace(string(b)) == s.bad {
				return fmt.Sprintf("%s: run as root (sudo), or as root: sysctl -w %s=%s", s.why, strings.ReplaceAll(s.file, "/", "."), s.good)
			}
		}
	}
	return "run as root (sudo) with CAP_SYS_ADMIN and CAP_NET_ADMIN; in a container: --privileged"
}
