package app

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/state"
	"github.com/kshalb/kshalb/pkg/election"
)

// memory is what this node knows after a restart. New reads it, Run finds out
// whether it can be written.
type memory struct {
	folder state.Folder
	needed bool // there is a cluster.bootstrap
	log    *slog.Logger
	was    state.State // when this process began
	off    bool        // nothing is written; set before the election begins
}

// newMemory reads the folder and holds the voters of cfg against it.
func newMemory(folder string, cfg *config.Config, log *slog.Logger) (*memory, error) {
	m := &memory{folder: state.Folder(folder), needed: cfg.Cluster.Bootstrap != "", log: log}
	var err error
	if m.was, err = m.read(); err != nil {
		return nil, err
	}
	if err := election.CheckSuccession(m.was.Voters, voters(cfg)); err != nil {
		return nil, fmt.Errorf("start with the peers of %s: %w; %s has the last ones, %q: change cluster.peers by one node at a time,"+
			" or stop kshalb on ALL nodes and delete that file on each of them", cfg.File, err, m.folder.File(), m.was.Voters)
	}
	return m, nil
}

func (m *memory) read() (state.State, error) {
	if m.folder == "" {
		return state.State{}, nil
	}
	return m.folder.Load()
}

// prepare makes the folder. A node that can't write goes on without a memory,
// unless there is a bootstrap node: that switch must never be forgotten.
func (m *memory) prepare() error {
	err := errors.New("there is no state folder (--state)")
	if m.folder != "" {
		err = m.folder.Prepare()
	}
	switch {
	case err == nil:
		return nil
	case m.needed:
		return fmt.Errorf("%w: cluster.bootstrap needs a folder that can be written; --state DIR names another", err)
	}
	m.off = true
	m.log.Warn("this node will not remember the voters after a restart: a change of cluster.peers by more than one node"+
		" would go unnoticed here; --state DIR names another folder", "err", err)
	return nil
}

// settle is called when this process is the only kshalb here: what a
// predecessor has written since the start would otherwise be lost.
func (m *memory) settle() error {
	now, err := m.read()
	if err == nil && !now.Equal(m.was) {
		err = fmt.Errorf("use the state %s: another kshalb has changed it meanwhile; start again", m.folder.File())
	}
	return err
}

func (m *memory) remembered() election.Memory { return election.Memory(m.was) }

// remember returns when what is told is on disk.
func (m *memory) remember(mem election.Memory) error {
	if m.off {
		return nil
	}
	return m.folder.Save(state.State(mem))
}
