package vip

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func (f *fences) follow(vip string, l link) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.socket == nil:
		return errIdle
	case f.families == nil:
		return unix.ENOENT
	case f.noEgress != nil:
		return f.noEgress
	}
	f.links[vip] = l
	return f.guard(l)
}

// guard puts an egress chain on l, and takes away those that no VIP uses. Called
// with mu.
func (f *fences) guard(l link) error {
	used := map[link]bool{}
	for _, other := range f.links {
		used[other] = true
	}
	var t transaction
	for old := range f.chains {
		if !used[old] {
			t.removeEgress(old)
		}
	}
	f.addEgress(&t, l)
	f.chains[l] = true // may be, whatever the kernel says
	err := f.socket.commit(&t)
	if errors.Is(err, unix.EOPNOTSUPP) {
		f.noEgress = fmt.Errorf("add an egress chain on %s: %w; the kernel has none (before Linux 5.16, or without CONFIG_NETFILTER_EGRESS)", l.name, err)
		return f.noEgress
	}
	if err != nil {
		return explainFence("guard announcements on "+l.name+" with", err)
	}
	for old := range f.chains {
		if !used[old] {
			delete(f.chains, old)
		}
	}
	return nil
}

// refollow brings back what a rebuilt fence has forgotten.
func (f *fences) refollow() {
	for _, l := range f.links {
		if f.noEgress == nil && !f.chains[l] {
			_ = f.guard(l) // the next taking does so again, and tells
		}
	}
}

// egressName has the name of the interface in it: since Linux 6.16 a chain stays
// when its interface goes or gets another name, and is bound to the old name.
func egressName(l link) string { return fmt.Sprintf("egress-%d-%s", l.index, l.name) }

// addEgress puts an egress chain on l, or its rules anew where there is one:
// before Linux 6.16 the kernel takes the chain away with its interface, and
// number and name may come again.
func (f *fences) addEgress(t *transaction, l link) {
	const netdev = unix.NFPROTO_NETDEV
	t.addChain(netdev, egressName(l),
		hook(unix.NF_NETDEV_EGRESS, textAttr(unix.NFTA_HOOK_DEV, l.name)), textAttr(unix.NFTA_CHAIN_TYPE, "filter"))
	t.removeRules(netdev, egressName(l))
	for _, g := range f.announcements() {
		t.addRule(netdev, egressName(l), g.asked())
	}
}

// removeEgress removes an egress chain that may be missing: the kernel may have
// taken it away with its interface, so it is added first.
func (t *transaction) removeEgress(l link) {
	const netdev = unix.NFPROTO_NETDEV
	t.addChain(netdev, egressName(l))
	t.removeRules(netdev, egressName(l))
	t.add(unix.NFT_MSG_DELCHAIN, 0, netdev,
		textAttr(unix.NFTA_CHAIN_TABLE, FencePrefix), textAttr(unix.NFTA_CHAIN_NAME, egressName(l)))
}

func (t *transaction) removeRules(family byte, chain string) {
	t.add(unix.NFT_MSG_DELRULE, 0, family, textAttr(unix.NFTA_RULE_TABLE, FencePrefix), textAttr(unix.NFTA_RULE_CHAIN, chain))
}
