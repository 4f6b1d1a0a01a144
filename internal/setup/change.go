package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// change is a file on its way to its place, and back.
type change struct {
	path    string
	fresh   string // the new file; "" once it has its place
	old     string // a second name of the file that was there; "" is none
	applied bool
}

// prepare writes a file beside its place, under a name that begins with a dot: a
// kubelet that watches the folder leaves it be.
func prepare(f File) (*change, error) {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil { //nolint:gosec // configuration that everybody may read
		return nil, fmt.Errorf("make the folder of %s: %w", f.Path, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".*")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.Path, err)
	}
	_, err = tmp.Write(f.Data)
	err = errors.Join(err, tmp.Chmod(f.Mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", f.Path, err), os.Remove(tmp.Name()))
	}
	return &change{path: f.Path, fresh: tmp.Name()}, nil
}

// apply replaces the file at once: a reader sees the old or the new one.
func (c *change) apply() error {
	old := c.fresh + ".old"
	switch err := os.Link(c.path, old); {
	case err == nil:
		c.old = old
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write over %s: keep the old one: %w", c.path, err)
	}
	if err := os.Rename(c.fresh, c.path); err != nil {
		return fmt.Errorf("write %s: %w", c.path, err)
	}
	c.fresh, c.applied = "", true
	return nil
}

// undo puts back what was there.
func (c *change) undo() error {
	switch {
	case !c.applied:
		return nil
	case c.old == "":
		return os.Remove(c.path)
	}
	old := c.old
	c.old = ""
	return os.Rename(old, c.path)
}

// forget removes what is left beside the place.
func (c *change) forget() error {
	var errs []error
	for _, name := range []string{c.fresh, c.old} {
		if name != "" {
			errs = append(errs, os.Remove(name))
		}
	}
	return errors.Join(errs...)
}
