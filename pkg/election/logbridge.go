package election

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logBridge turns memberlist's lines into slog records. What it calls an error
// (a wrong key, say) is a warning here, once a minute for each kind, since it
// repeats with every packet; the rest is for debugging.
type logBridge struct {
	log  *slog.Logger
	mu   sync.Mutex
	last map[string]time.Time
}

const repeatAfter = time.Minute

// Write implements io.Writer for the standard logger: one call is one line.
func (b *logBridge) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	level, message, _ := strings.Cut(text, " memberlist: ")
	switch {
	case level != "[ERR]" || !b.first(message):
		b.log.Debug("gossip: " + message)
	default:
		b.log.Warn("gossip: " + message)
	}
	return len(line), nil
}

// first reports whether message was not logged within the last minute, but for
// the address and port that it came from.
func (b *logBridge) first(message string) bool {
	kind, _, _ := strings.Cut(message, " from=")
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, at := range b.last {
		if now.Sub(at) >= repeatAfter {
			delete(b.last, k)
		}
	}
	if _, repeated := b.last[kind]; repeated {
		return false
	}
	if b.last == nil {
		b.last = make(map[string]time.Time)
	}
	b.last[kind] = now
	return true
}
