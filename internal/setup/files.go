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
// Each file appears at once and whole. When one fails, all are as they were.
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
	if err := replace(files, outcomes); err != nil {
		return nil, err
	}
	return outcomes, nil
}

// replace writes the files that are to be written. All are whole beside their
// places before the first takes its own; when one cannot, the others are undone.
func replace(files []File, outcomes []Outcome) (err error) {
	var all []*change
	defer func() {
		for _, c := range all {
			if err != nil {
				err = errors.Join(err, c.undo())
			}
			err = errors.Join(err, c.forget())
		}
	}()
	for i, f := range files {
		if outcomes[i] != Written {
			continue
		}
		c, err := prepare(f)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	for _, c := range all {
		if err := c.apply(); err != nil {
			return err
		}
	}
	return nil
}

// keySize is that of an AES-256 key, in bytes.
const keySize = 32

// NewKey is the text of a key file with one new key.
func NewKey() []byte {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // it never fails, says its documentation
	return []byte(base64.StdEncoding.EncodeToString(key) + "\n")
}
