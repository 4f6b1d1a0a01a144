package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/kshalb/kshalb/internal/state"
)

// Lists are addresses by the name of their source: a DNS name as it was written, or
// what [PeersOf] returns.
type Lists map[string][]netip.Addr

// PeersOf names the source of a listener's backends that are the peers.
func PeersOf(listener string) string { return "peers of " + listener }

const (
	memoryFile = "backends.json"
	maxMemory  = 1 << 20 // bytes: some thirty thousand addresses
)

// Memory keeps the last good lists in the file backends.json of the state folder.
// Nothing unsafe hangs on it: without it, names that cannot be resolved after a
// restart have no backends until they can. Its methods may be called from any
// goroutine.
type Memory struct {
	folder state.Folder
	log    *slog.Logger

	mu    sync.Mutex
	saved Lists // what the file has; nil is not known
}

// NewMemory prepares a memory in a folder; "" is none: nothing is loaded or saved.
// It does not look at the folder, which has to be there when Save is called.
func NewMemory(folder state.Folder, log *slog.Logger) *Memory {
	return &Memory{folder: folder, log: log}
}

// Load reads the file. The lists are sorted, and none is empty. A file that is
// missing, damaged or over 1 MiB is as good as an empty one; all but the first is
// logged.
func (m *Memory) Load() Lists {
	if m.folder == "" {
		return Lists{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	path := filepath.Join(string(m.folder), memoryFile)
	lists, err := loadLists(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Lists{}
	}
	if err != nil {
		m.log.Warn("the backends of the last run are not known: until their names are resolved those backends are missing;"+
			" the file is written anew as soon as they are", "file", path, "err", err)
		return Lists{}
	}
	m.saved = lists
	return maps.Clone(lists)
}

func loadLists(path string) (Lists, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxMemory+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxMemory {
		return nil, fmt.Errorf("it is over %d bytes", maxMemory)
	}
	var lists Lists
	if err := json.Unmarshal(data, &lists); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	return lists.tidy(), nil
}

// Save writes lists in place of what was there, and returns when they are on disk,
// whole; at once when the file has them already. Empty lists are left out. After an
// error it is tried again by the next call.
func (m *Memory) Save(lists Lists) error {
	if m.folder == "" {
		return nil
	}
	lists = lists.tidy()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.saved != nil && maps.EqualFunc(lists, m.saved, slices.Equal) {
		return nil
	}
	data, err := json.Marshal(lists) // sorted by source
	if err == nil && len(data) >= maxMemory {
		err = fmt.Errorf("they are over %d bytes", maxMemory)
	}
	if err == nil {
		m.saved = nil // whatever happens now
		err = m.folder.WriteFile(memoryFile, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember the backends in %s: %w", m.folder, err)
	}
	m.saved = lists
	return nil
}

// tidy returns a copy without what no backend can have.
func (l Lists) tidy() Lists {
	good := make(Lists)
	for source, addrs := range l {
		if addrs = tidy(addrs); len(addrs) > 0 {
			good[source] = addrs
		}
	}
	return good
}
