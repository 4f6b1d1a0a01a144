// Package setup puts the files of a new kshalb where they belong: all of them or
// none, and never over one that is there, unless that was asked for.
package setup

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File is one to be written.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte

	// Keep leaves a file that is there as it is, also when others are written
	// over: a key that other nodes have.
	Keep bool
}

// Outcome is what became of a [File].
type Outcome string

// The outcomes.
const (
	Written Outcome = "written"
	Same    Outcome = "unchanged" // it was there, just so
	Kept    Outcome = "kept"      // it was there, and is not to be written over
)

// Write writes the files, making folders with mode 0755. Nothing is written when
// one is there with other contents, unless over; the error names all of them.
// Each file appears at once and whole. When one fails, those that were new are
// removed again.
func Write(files []File, over bool) ([]Outcome, error) {
	outcomes := make([]Outcome, len(files))
	var taken []string
	for i, f := range files {
		old, err := os.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			outcomes[i] = Written
		case err != nil:
			return nil, fmt.Errorf("look at %s: %w", f.Path, err)
		case bytes.Equal(old, f.Data):
			outcomes[i] = Same
		case f.Keep:
			outcomes[i] = Kept
		case over:
			outcomes[i] = Written
		default:
			taken = append(taken, f.Path)
		}
	}
	if len(taken) > 0 {
		return nil, fmt.Errorf("%s: there already, with other contents; nothing was written (--force writes over it, --dry-run shows what)", strings.Join(taken, ", "))
	}
	var written []File
	for i, f := range files {
		if outcomes[i] != Written {
			continue
		}
		if err := f.write(); err != nil {
			return nil, errors.Join(err, remove(written))
		}
		written = append(written, f)
	}
	return outcomes, nil
}

// write replaces the file at once: a reader sees the old or the new one.
func (f File) write() error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil { //nolint:gosec // configuration that everybody may read
		return fmt.Errorf("make the folder of %s: %w", f.Path, err)
	}
	// A name that begins with a dot: a kubelet that watches the folder leaves it be.
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	_, err = tmp.Write(f.Data)
	err = errors.Join(err, tmp.Chmod(f.Mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.Path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.Path, err), os.Remove(tmp.Name()))
	}
	return nil
}

func remove(files []File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, os.Remove(f.Path))
	}
	return errors.Join(errs...)
}

// keySize is that of an AES-256 key, in bytes.
const keySize = 32

// NewKey is the text of a key file with one new key.
func NewKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // it never fails, says its documentation
	return []byte(base64.StdEncoding.EncodeToString(key) + "\n")
}
