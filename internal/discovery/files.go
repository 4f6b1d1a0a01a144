package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// files are read at each question: they are small, and then they are current.
type files struct {
	resolvConf string // paths
	hosts      string
}

// maxFile bounds what is read of a file, in bytes.
const maxFile = 4 << 20

// readFile reads a file; none is empty.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	return data, nil
}

func (f files) settings() (settings, error) {
	data, err := readFile(f.resolvConf)
	if err != nil {
		return settings{}, err
	}
	s, err := parseSettings(bytes.NewReader(data))
	if err != nil {
		return settings{}, fmt.Errorf("read %s: %w", f.resolvConf, err)
	}
	return s, nil
}

// host returns the addresses that the hosts file has for a name: hosts(5).
func (f files) host(name string) ([]netip.Addr, error) {
	data, err := readFile(f.hosts)
	if err != nil {
		return nil, err
	}
	return hostLines(string(data), strings.TrimSuffix(name, ".")), nil
}

func hostLines(text, name string) []netip.Addr {
	var addrs []netip.Addr
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue // so does every libc
		}
		for _, alias := range fields[1:] {
			if strings.EqualFold(strings.TrimSuffix(alias, "."), name) {
				addrs = append(addrs, addr)
			}
		}
	}
	return tidy(addrs)
}

// stamp is how a change of a file is seen; the zero value is that of no file.
type stamp struct {
	modified int64 // nanoseconds
	size     int64
	inode    uint64
}

// stamp looks at both files.
func (f files) stamp() [2]stamp {
	var now [2]stamp
	for i, path := range []string{f.resolvConf, f.hosts} {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		now[i] = stamp{modified: info.ModTime().UnixNano(), size: info.Size()}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			now[i].inode = s.Ino
		}
	}
	return now
}
