package app

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/state"
	"github.com/kshalb/kshalb/pkg/election"
)

func remembering(t *testing.T, folder string, cfg *config.Config) (*memory, *bytes.Buffer, error) {
	t.Helper()
	var log bytes.Buffer
	m, err := newMemory(folder, cfg, slog.New(slog.NewTextHandler(&log, nil)))
	return m, &log, err
}

func TestMemorySurvives(t *testing.T) {
	folder, cfg := filepath.Join(t.TempDir(), "state"), parsed(t, "/key")
	m, log, err := remembering(t, folder, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(); err != nil || log.Len() > 0 {
		t.Fatalf("%v, %s", err, log)
	}
	want := election.Memory{Voters: []string{"m1", "m2", "w"}, Bootstrapped: true}
	if err := m.settle(); err != nil {
		t.Fatal(err)
	}
	if err := m.remember(want); err != nil {
		t.Fatal(err)
	}
	again, _, err := remembering(t, folder, cfg)
	if err != nil || !again.remembered().Equal(want) {
		t.Errorf("%+v, %v", again, err)
	}
	// A predecessor that still ran when this one read.
	if err := m.settle(); err == nil || !strings.Contains(err.Error(), "another kshalb has changed it meanwhile; start again") {
		t.Errorf("got %v", err)
	}
}

func TestMemoryRefusesAJump(t *testing.T) {
	folder := t.TempDir()
	if err := state.Folder(folder).Save(state.State{Voters: []string{"a", "b", "m1"}}); err != nil {
		t.Fatal(err)
	}
	_, _, err := remembering(t, folder, parsed(t, "/key"))
	if err == nil {
		t.Fatal("it starts with a majority that the last one does not know")
	}
	for _, want := range []string{"start with the peers of kshalb.yaml: ", folder + `/state.json has the last ones, ["a" "b" "m1"]: `,
		"change cluster.peers by one node at a time", "stop kshalb on ALL nodes and delete that file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := state.Folder(folder).Save(state.State{Voters: []string{"m1", "w"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := remembering(t, folder, parsed(t, "/key")); err != nil {
		t.Errorf("one voter more: %v", err)
	}
}

func TestMemoryWithoutAFolder(t *testing.T) {
	const bootstrap = "  bootstrap: m1\n  gossip:"
	blocked := filepath.Join(writeFile(t, t.TempDir(), "file", nil), "state") // root may write anywhere else
	for folder, want := range map[string]string{"": "there is no state folder (--state)", blocked: "use the state folder " + blocked} {
		m := &memory{folder: state.Folder(folder), log: slog.New(slog.DiscardHandler)}
		var log bytes.Buffer
		m.log = slog.New(slog.NewTextHandler(&log, nil))
		if err := m.prepare(); err != nil || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("%q: %v, log %s", folder, err, &log)
		}
		if err := m.remember(election.Memory{Bootstrapped: true}); err != nil {
			t.Errorf("%q: %v", folder, err)
		}
		m.needed, m.off = parsed(t, "/key", "  gossip:", bootstrap).Cluster.Bootstrap != "", false
		if err := m.prepare(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cluster.bootstrap needs a folder") {
			t.Errorf("%q with a bootstrap node: %v", folder, err)
		}
	}
}
