// Package filewatch notices that a file has another text, however that comes about: it
// is written to, an editor renames another one over it, or a symbolic link on the way
// to it is swapped, as the kubelet does with ConfigMaps.
package filewatch

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long nothing must happen before the file is read: who writes it
	// may do so in parts. patience bounds that where things happen all the time.
	settle   = 300 * time.Millisecond
	patience = 2 * time.Second
	// lookInterval is how often it is read where the kernel tells nothing, as of a
	// file on another host, or of a folder that was made anew.
	lookInterval = 10 * time.Second
)

// Watcher watches one file. Make it with New, then Run it once.
type Watcher struct {
	path string
	last [sha256.Size]byte // of the text
}

// New makes a Watcher of the file at path, as it is now; what happens to it until Run
// is noticed, too.
func New(path string) *Watcher {
	w := &Watcher{path: path}
	w.last, _ = w.read()
	return w
}

// Run calls changed when the file has another text than the last time, soon after that
// has come to rest, until ctx ends. A file that is not there, or can't be read, is no
// change. Without inotify(7) it looks every ten seconds, and says so.
func (w *Watcher) Run(ctx context.Context, log *slog.Logger, changed func()) {
	folders, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changes of the configuration file are noticed within "+lookInterval.String()+
			" and not at once: see fs.inotify.max_user_instances", "file", w.path, "err", err)
		folders = &fsnotify.Watcher{} // which never tells anything
	} else {
		defer func() { _ = folders.Close() }()
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		if err == nil {
			follow(folders, w.path)
		}
		w.look(changed)
		select {
		case <-folders.Events:
			rest(ctx, folders)
		case err := <-folders.Errors:
			log.Debug("the kernel has not told of all changes", "err", err)
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// rest waits until nothing happens any more.
func rest(ctx context.Context, folders *fsnotify.Watcher) {
	enough := time.After(patience)
	for {
		select {
		case <-folders.Events:
		case <-time.After(settle):
			return
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
	}
}

// follow watches the folders that the way to the file leads through now. One that
// cannot be watched is looked at by time.
func follow(folders *fsnotify.Watcher, path string) {
	want := foldersOf(path)
	for _, old := range folders.WatchList() {
		if !slices.Contains(want, old) {
			_ = folders.Remove(old) // it may be gone
		}
	}
	for _, f := range want {
		_ = folders.Add(f)
	}
}

func (w *Watcher) look(changed func()) {
	now, err := w.read()
	if err != nil || now == w.last {
		return
	}
	w.last = now
	changed()
}

func (w *Watcher) read() ([sha256.Size]byte, error) {
	text, err := os.ReadFile(w.path)
	return sha256.Sum256(text), err
}
