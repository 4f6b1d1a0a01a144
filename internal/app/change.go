package app

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/election"
)

// voting is the part of an Elector that a reload needs.
type voting interface {
	CheckVoters([]election.Voter) error
	Reconfigure([]election.Voter, map[string]election.Preference) error
}

// wire is the part of a Gossip that a reload needs.
type wire interface {
	SetPeers([]election.Peer) error
	SetKeys([][]byte) error
}

// change is one reload: from one configuration to another.
type change struct {
	from, to *config.Config
	keys     []config.Change
	noticed  bool // nobody has asked for it: the file is another one
	self     config.Peer
	level    *slog.LevelVar // nil: as it is
	voters   voting         // nil without a VIP, as is wire
	wire     wire
	secrets  [][]byte // the gossip keys that are in use
	next     [][]byte // and those that will be
	told     []string // what has changed
}

// live are the keys that can change while kshalb runs.
var live = regexp.MustCompile(`^(cluster\.peers(\[.*)?|vips\[\d+\]\.(priorities|preempt)|listeners(\[.*)?|hooks(\[.*)?|log\.level)$`)

// check says what is in the way, and reads the keys. It changes nothing.
func (c *change) check() error {
	if err := c.refused(); err != nil {
		return err
	}
	for _, k := range c.keys {
		c.told = append(c.told, k.String())
	}
	if c.voters == nil {
		return nil
	}
	if c.noticed && c.changed("cluster.peers") {
		return errors.New("cluster.peers: nodes with other voters do not count each other's votes, so kshalb waits until it is told: write the file of every node, then `kshalb reload` on each, soon after one another")
	}
	if err := c.voters.CheckVoters(voters(c.to)); err != nil {
		return err
	}
	secrets, err := loadKeys(c.to.Cluster.Gossip)
	if err != nil {
		return err
	}
	c.next = secrets
	if !c.sameKeys() {
		c.told = append(c.told, fmt.Sprintf("cluster.gossip.keyFile: %s has other keys, %d in all", c.to.Cluster.Gossip.KeyFile, len(secrets)))
	}
	return nil
}

func (c *change) sameKeys() bool { return slices.EqualFunc(c.secrets, c.next, bytes.Equal) }

// apply takes back what it did when a step fails.
func (c *change) apply() error {
	if c.voters != nil {
		var done undo
		if err := c.applyInOrder(&done); err != nil {
			return errors.Join(err, done.run())
		}
		c.secrets = c.next
	}
	if c.level != nil {
		c.level.Set(c.to.Log.Level)
	}
	return nil
}

// refused names the keys that have changed and can't while kshalb runs.
func (c *change) refused() error {
	mine := "cluster.peers[" + fmt.Sprint(slices.IndexFunc(c.to.Cluster.Peers, func(p config.Peer) bool { return p.Name == c.self.Name })) + "]."
	var paths []string
	for _, k := range c.keys {
		peers := strings.HasPrefix(k.Path, "cluster.peers")
		if !live.MatchString(k.Path) || peers && (c.voters == nil || strings.HasPrefix(k.Path, mine)) {
			paths = append(paths, k.Path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return fmt.Errorf("%s cannot change while kshalb runs: restart it", strings.Join(paths, ", "))
}

// applyInOrder does last what can't be taken back.
func (c *change) applyInOrder(done *undo) error {
	if was := c.secrets; !c.sameKeys() {
		if err := c.wire.SetKeys(c.next); err != nil {
			return err
		}
		done.push(func() error { return c.wire.SetKeys(was) })
	}
	if c.changed("cluster.peers") {
		if err := c.wire.SetPeers(others(c.to, c.self.Name)); err != nil {
			return err
		}
		done.push(func() error { return c.wire.SetPeers(others(c.from, c.self.Name)) })
	}
	if c.changed("cluster.peers") || c.changed("vips") {
		return c.voters.Reconfigure(voters(c.to), preferences(c.to))
	}
	return nil
}

func (c *change) changed(path string) bool {
	return slices.ContainsFunc(c.keys, func(k config.Change) bool { return strings.HasPrefix(k.Path, path) })
}
