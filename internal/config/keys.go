package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// maxKeys bounds a key file. Changing keys takes two at a time.
const maxKeys = 16

// LoadKeys reads the keys that gossip is encrypted with: one a line in base64,
// of 16, 24 or 32 bytes (AES-128, -192 and -256), the first of which encrypts
// and all of which decrypt. Blank lines and lines that begin with # are
// comments. A file that its group or others may use is refused. No error shows
// any part of a key.
func LoadKeys(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read gossip keys: %w; %s", err, howToMakeKey(path))
	}
	if err != nil {
		return nil, fmt.Errorf("read gossip keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read gossip keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("read gossip keys: %s has mode %04o, so others may use it; run: chmod 600 %s", path, mode, path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return nil, fmt.Errorf("read gossip keys: %w", err)
	}
	return parseKeys(path, data)
}

func howToMakeKey(path string) string {
	return fmt.Sprintf("make one with: head -c 32 /dev/urandom | base64 > %s && chmod 600 %s", path, path)
}

// parseKeys reads the text of a key file; path is for messages.
func parseKeys(path string, data []byte) ([][]byte, error) {
	var keys [][]byte
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		// The decoder's own error would tell a byte of the key.
		key, err := base64.StdEncoding.AppendDecode(nil, line)
		if err != nil || !slices.Contains([]int{16, 24, 32}, len(key)) {
			return nil, fmt.Errorf("read gossip keys: %s:%d: is not 16, 24 or 32 bytes in base64; %s", path, number, howToMakeKey(path))
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, fmt.Errorf("read gossip keys: %s:%d: has more than %d keys; remove the oldest", path, number, maxKeys)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("read gossip keys: %s has no key; %s", path, howToMakeKey(path))
	}
	return keys, nil
}
