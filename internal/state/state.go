// Package state is what a node must still know after a restart, in one file of
// a folder of its own. It knows nothing of what the words in it mean. Others may
// keep files there, whose loss does no harm: [Folder.WriteFile].
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// State is the content of the file; the zero value is that of no file.
type State struct {
	Voters       []string `json:"voters"`
	Bootstrapped bool     `json:"bootstrapped"`
}

// Equal reports whether a and b say the same.
func (a State) Equal(b State) bool {
	return a.Bootstrapped == b.Bootstrapped && slices.Equal(a.Voters, b.Voters)
}

// Folder is the path of the folder with the file. Its methods may be called
// from anywhere, Save by one at a time.
type Folder string

// Default is the folder of a kshalb that is told no other.
const Default Folder = "/var/lib/kshalb"

const (
	name    = "state.json"
	pending = "." + name + ".new" // what WriteFile writes first
	maxSize = 64 << 10
)

// File is the path of the file.
func (f Folder) File() string { return filepath.Join(string(f), name) }

// Prepare makes the folder, readable by its owner only, when it is missing, and
// finds out whether the file can be written. It leaves nothing behind.
func (f Folder) Prepare() error {
	_, missing := os.Stat(string(f))
	err := os.MkdirAll(string(f), 0o700)
	if err == nil && missing != nil {
		err = syncFolder(filepath.Dir(string(f))) // else the new folder may be lost
	}
	if err == nil {
		err = f.try()
	}
	if err != nil {
		return fmt.Errorf("use the state folder %s: %w", f, err)
	}
	return nil
}

func (f Folder) try() error {
	path := filepath.Join(string(f), pending)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(path))
}

// Load reads the file. None is the zero State. A file that is not exactly what
// Save writes is an error: to take it for empty could make a second owner.
func (f Folder) Load() (State, error) {
	file, err := os.Open(f.File())
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("read the state: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return State{}, fmt.Errorf("read the state: %w", err)
	}
	s, err := parse(data)
	if err != nil {
		return State{}, fmt.Errorf("read the state: %s is damaged (%w): remove cluster.bootstrap from the configuration,"+
			" see to it that cluster.peers is as it was, then delete the file", f.File(), err)
	}
	return s, nil
}

func parse(data []byte) (State, error) {
	if len(data) > maxSize {
		return State{}, errors.New("it is too large")
	}
	var s struct {
		Voters       *[]string `json:"voters"`
		Bootstrapped *bool     `json:"bootstrapped"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return State{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return State{}, errors.New("something follows the object")
	}
	if s.Voters == nil || s.Bootstrapped == nil || slices.Contains(*s.Voters, "") {
		return State{}, errors.New("a key is missing or empty")
	}
	return State{*s.Voters, *s.Bootstrapped}, nil
}

// Save writes the file, and returns when it will be there after a power loss:
// as a whole, or as it was before.
func (f Folder) Save(s State) error {
	if s.Voters == nil {
		s.Voters = []string{}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	if err := f.WriteFile(name, append(data, '\n')); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// WriteFile writes a file of the folder, readable by its owner only, and returns when
// it will be there after a power loss: as a whole, or as it was before. It is called
// for each name by one at a time. What is being written is in .NAME.new, which is
// worth nothing after a crash.
func (f Folder) WriteFile(name string, data []byte) error {
	path := filepath.Join(string(f), "."+name+".new")
	if err := writeSynced(path, data); err != nil {
		return errors.Join(err, remove(path))
	}
	if err := os.Rename(path, filepath.Join(string(f), name)); err != nil {
		return err
	}
	return syncFolder(string(f)) // else the rename may be lost
}

func writeSynced(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil // a file system without it, see fsync(2)
	}
	return errors.Join(err, folder.Close())
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
