package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is one that runs on this host. Its arguments may hold passwords: what
// is not known to be harmless stays here.
type process struct {
	pid  int
	name string // as the kernel has it, 15 characters at most
	args []string
}

// processes are those of some names that use the network of this one: what runs in a
// pod's own network is nobody's rival.
func (l *Looker) processes(names ...string) ([]process, error) {
	if l.contained() {
		return nil, errHidden
	}
	return l.nearProcesses(names...)
}

// nearProcesses are those that this process sees: of its container, if it is in one.
func (l *Looker) nearProcesses(names ...string) (all []process, err error) {
	own, _ := os.Readlink(l.path("/proc/self/ns/net")) // "" where files are planted without
	folders, err := os.ReadDir(l.path("/proc"))
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	for _, folder := range folders {
		pid, err := strconv.Atoi(folder.Name())
		if err != nil {
			continue
		}
		name, _ := l.hostWord(filepath.Join("/proc", folder.Name(), "comm"))
		if !slices.Contains(names, name) {
			continue
		}
		p, ok, err := l.process(pid, name, own)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// process is the one with a number, unless it has ended or its network is another
// than own.
func (l *Looker) process(pid int, name, own string) (p process, ok bool, err error) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	network, err := os.Readlink(l.path(folder + "/ns/net"))
	switch {
	case os.IsPermission(err):
		return p, false, fmt.Errorf("look at process %d (%s): %w; run as root", pid, name, err)
	case network != own: // or it has ended
		return p, false, nil
	}
	line, err := l.hostHead(folder + "/cmdline")
	if err != nil || len(line) == 0 {
		return p, false, nil // it has ended
	}
	return process{pid, name, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")}, true, nil
}

// processFile reads one of a process's own files, in the root that it has: that of a
// container, say. Links that lead out of there are not followed.
func (l *Looker) processFile(p process, name string) ([]byte, error) {
	root, err := os.OpenRoot(l.path(filepath.Join("/proc", strconv.Itoa(p.pid), "root")))
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	name = strings.TrimPrefix(filepath.Clean(name), "/")
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	return readHead(f)
}

// String is how a process is told of.
func (p process) String() string { return fmt.Sprintf("%s (process %d)", p.name, p.pid) }
