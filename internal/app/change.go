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
	self     config.Peer
	level    *slog.LevelVar // nil: as it is
	voters   voting         // nil without a VIP, as is wire
	wire     wire
	secrets  [][]byte // the gossip keys: those in use, then the new ones
	told     []string // what has changed
}

// live are the keys that can change while kshalb runs.
var live = regexp.MustCompile(`^(cluster\.peers(\[.*)?|vips\[\d+\]\.(priorities|preempt)|listeners\[\d+\]\.backends\.addresses|log\.level)$`)

// apply checks everything first, and takes back what it did when a step fails.
func (c *change) apply() error {
	if err := c.refused(); err != nil {
		return err
	}
	for _, k := range c.keys {
		c.told = append(c.told, k.String())
	}
	if c.voters != nil {
		if err := c.applyToCluster(); err != nil {
			return err
		}
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
	return fmt.Errorf("reload %s: %s cannot change while kshalb runs: restart it", c.to.File, strings.Join(paths, ", "))
}

func (c *change) applyToCluster() error {
	if err := c.voters.CheckVoters(voters(c.to)); err != nil {
		return fmt.Errorf("reload %s: %w", c.to.File, err)
	}
	secrets, err := loadKeys(c.to.Cluster.Gossip)
	if err != nil {
		return fmt.Errorf("reload %s: %w", c.to.File, err)
	}
	var done undo
	if err := c.applyInOrder(secrets, &done); err != nil {
		return fmt.Errorf("reload %s: %w", c.to.File, errors.Join(err, done.run()))
	}
	c.secrets = secrets
	return nil
}

// applyInOrder does last what can't be taken back.
func (c *change) applyInOrder(secrets [][]byte, done *undo) error {
	if was := c.secrets; !slices.EqualFunc(was, secrets, bytes.Equal) {
		if err := c.wire.SetKeys(secrets); err != nil {
			return err
		}
		done.push(func() error { return c.wire.SetKeys(was) })
		c.told = append(c.told, fmt.Sprintf("cluster.gossip.keyFile: %s has other keys, %d in all", c.to.Cluster.Gossip.KeyFile, len(secrets)))
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
