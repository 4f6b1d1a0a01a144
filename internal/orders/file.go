package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kshalb/kshalb/internal/state"
)

const fileName = "orders.json"

// file is where the orders are between two runs, in a state folder; "" is none.
type file struct{ folder state.Folder }

func (f file) path() string { return filepath.Join(string(f.folder), fileName) }

// Open reads the orders of the last run; no file is none. A damaged one is an
// error: a backend that somebody took out of service must not come back by itself.
// Without a folder orders are forgotten at the end.
func Open(folder state.Folder) (*Book, error) {
	b := &Book{file: file{folder}}
	if folder == "" {
		return b, nil
	}
	data, err := os.ReadFile(b.file.path())
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the orders about backends: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b.all); err != nil {
		return nil, fmt.Errorf("read the orders about backends: %s is damaged (%w): delete it, start kshalb, and drain again what is to be drained",
			b.file.path(), err)
	}
	return b, nil
}

// Kept reports whether orders are known after a restart.
func (b *Book) Kept() bool { return b.file.folder != "" }

func (f file) save(all []Order) error {
	if f.folder == "" {
		return nil
	}
	if all == nil {
		all = []Order{}
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write the orders about backends: %w", err)
	}
	if err := f.folder.Prepare(); err != nil {
		return fmt.Errorf("write the orders about backends: %w", err)
	}
	if err := f.folder.WriteFile(fileName, append(data, '\n')); err != nil {
		return fmt.Errorf("write the orders about backends: %w", err)
	}
	return nil
}
