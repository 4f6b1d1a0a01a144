package orders

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

	"github.com/kshalb/kshalb/internal/state"
)

const (
	fileName = "orders.json"
	maxFile  = 4 << 20 // bytes: maxOrders with the longest texts
)

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
	data, err := b.file.read()
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the orders about backends: %w", err)
	}
	if b.all, err = parse(data); err != nil {
		return nil, fmt.Errorf("read the orders about backends: %s is damaged (%w): delete it, start kshalb, and drain again what is to be drained",
			b.file.path(), err)
	}
	return b, nil
}

func (f file) read() ([]byte, error) {
	file, err := os.Open(f.path())
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile+1))
}

// parse takes nothing but what save writes.
func parse(data []byte) ([]Order, error) {
	if len(data) > maxFile {
		return nil, errors.New("it is too large")
	}
	var all []Order
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&all); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list")
	}
	if all == nil || len(all) > maxOrders {
		return nil, fmt.Errorf("it is no list of up to %d orders", maxOrders)
	}
	for i, o := range all {
		if err := o.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all[:i], o.same) {
			return nil, fmt.Errorf("two orders about %s contradict each other", o.Backend)
		}
		all[i].Who, all[i].Why = plain(o.Who), plain(o.Why) // somebody may have edited it
	}
	return all, nil
}

// save makes the folder when it is missing: not every kshalb needs one otherwise.
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
	data = append(data, '\n')
	err = f.folder.WriteFile(fileName, data)
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.folder.Prepare(); err == nil {
			err = f.folder.WriteFile(fileName, data)
		}
	}
	if err != nil {
		return fmt.Errorf("write the orders about backends: %w", err)
	}
	return nil
}
