package filewatch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links are followed, as the kernel does
// (path_resolution(7)).
const maxLinks = 40

// foldersOf are the folders in which something has to happen for a path to lead to
// another file: that of the file, and that of each symbolic link on the way. A link of
// /proc may lead elsewhere than it says (proc(5)), so the folder as it is given counts.
func foldersOf(path string) (all []string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	given := filepath.Dir(path)
	defer func() {
		if !slices.ContainsFunc(all, func(f string) bool { return same(f, given) }) {
			all = append(all, given)
		}
	}()
	for range maxLinks {
		link, rest := firstLink(path)
		folder := filepath.Dir(link)
		if !slices.Contains(all, folder) {
			all = append(all, folder)
		}
		to, err := os.Readlink(link)
		if err != nil { // the file itself, or nothing
			return all
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(folder, to)
		}
		path = filepath.Join(to, rest)
	}
	return all
}

func same(a, b string) bool {
	at, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(at, other)
}

// firstLink is the first symbolic link of a path, or the path, and what comes after.
func firstLink(path string) (link, rest string) {
	for i := 1; i < len(path); i++ {
		if path[i] != filepath.Separator {
			continue
		}
		if at, err := os.Lstat(path[:i]); err == nil && at.Mode()&os.ModeSymlink != 0 {
			return path[:i], strings.TrimPrefix(path[i:], string(filepath.Separator))
		}
	}
	return path, ""
}
