package hooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Hook is a command, and what it is run for.
type Hook struct {
	On      []string      // Holder, Backend; at least one
	Exec    []string      // the absolute path of a program, and its arguments
	Timeout time.Duration // that it may take, above 0
}

func (h Hook) equal(other Hook) bool {
	return slices.Equal(h.On, other.On) && slices.Equal(h.Exec, other.Exec) && h.Timeout == other.Timeout
}

// faults says what keeps the program from being run, or lets others than its user
// say what is run; nil is that all is well.
func (h Hook) faults() error {
	path, err := filepath.EvalSymlinks(h.Exec[0])
	if err != nil {
		return fmt.Errorf("it can't be run: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("it can't be run: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("it can't be run: %s is no file", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("it can't be run: chmod +x %s", path)
	}
	for at := path; ; at = filepath.Dir(at) {
		if err := ownedOnly(at); err != nil || at == filepath.Dir(at) {
			return err
		}
	}
}

// ownedOnly returns an error when others than root, or the user of this process, can
// change what stands at path. In a folder with the sticky bit they can't.
func ownedOnly(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner, is := info.Sys().(*syscall.Stat_t)
	switch {
	case !is:
		return errors.New("its owner can't be told")
	case owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("it is run with the rights of kshalb, and %s belongs to another user: chown root %s", path, path)
	case info.Mode()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("it is run with the rights of kshalb, and others may write to %s: chmod go-w %s", path, path)
	}
	return nil
}
