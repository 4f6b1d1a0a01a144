package config

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadKeys(t *testing.T) {
	key := func(size int) string {
		return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xab}, size))
	}
	const anyFile = "; make one with: head -c 32 /dev/urandom | base64 > FILE && chmod 600 FILE"
	for _, tt := range []struct {
		name  string
		text  string
		mode  os.FileMode
		sizes []int
		want  string // with FILE for the path
	}{
		{name: "one", text: key(32) + "\n", mode: 0o600, sizes: []int{32}},
		{name: "no newline", text: key(16), mode: 0o400, sizes: []int{16}},
		{name: "several", text: "# new\n" + key(24) + "\r\n\n  # old\n " + key(16) + " \n", mode: 0o600, sizes: []int{24, 16}},
		{name: "group", text: key(32), mode: 0o640, want: "FILE has mode 0640, so others may use it; run: chmod 600 FILE"},
		{name: "others", text: key(32), mode: 0o604, want: "FILE has mode 0604, so others may use it; run: chmod 600 FILE"},
		{name: "size", text: "# a\n" + key(31), mode: 0o600, want: "FILE:2: is not 16, 24 or 32 bytes in base64" + anyFile},
		{name: "not base64", text: key(32) + "\nsecret!", mode: 0o600, want: "FILE:2: is not 16, 24 or 32 bytes in base64" + anyFile},
		{name: "empty", text: "# none\n", mode: 0o600, want: "FILE has no key" + anyFile},
		{name: "many", text: strings.Repeat(key(16)+"\n", 17), mode: 0o600, want: "FILE:17: has more than 16 keys; remove the oldest"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gossip.key")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			keys, err := LoadKeys(path)
			if tt.want != "" {
				wantError(t, err, "read gossip keys: "+strings.ReplaceAll(tt.want, "FILE", path))
				return
			}
			if err != nil || len(keys) != len(tt.sizes) {
				t.Fatalf("LoadKeys: %d keys, %v", len(keys), err)
			}
			for i, size := range tt.sizes {
				if len(keys[i]) != size {
					t.Errorf("key %d has %d bytes, want %d", i, len(keys[i]), size)
				}
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "missing.key")
	_, err := LoadKeys(missing)
	wantError(t, err, strings.ReplaceAll("read gossip keys: open FILE: no such file or directory"+anyFile, "FILE", missing))
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}
