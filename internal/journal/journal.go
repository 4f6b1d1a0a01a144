// Package journal remembers the last things that a log has said, for those who look
// at a node and not at its log.
package journal

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/kshalb/kshalb/internal/status"
)

// size is how many entries are remembered.
const size = 200

// Journal is the last entries. It is safe for concurrent use.
type Journal struct {
	mu  sync.Mutex
	all []status.Change // a ring once it is full
	at  int             // where the next one goes, when it is
	n   uint64          // so far
}

// New makes an empty one.
func New() *Journal { return &Journal{} }

// Last returns the last n entries, or all that are remembered, the newest first,
// and how many there have been so far.
func (j *Journal) Last(n int) ([]status.Change, uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Concat(j.all[j.at:], j.all[:j.at])
	all = all[max(0, len(all)-n):]
	slices.Reverse(all)
	return all, j.n
}

func (j *Journal) add(c status.Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n++
	if len(j.all) < size {
		j.all = append(j.all, c)
		return
	}
	j.all[j.at] = c
	j.at = (j.at + 1) % size
}

// Handler passes records on to next, and remembers those of level Info and above,
// whatever next leaves out.
func (j *Journal) Handler(next slog.Handler) slog.Handler { return handler{journal: j, next: next} }

type handler struct {
	journal *Journal
	next    slog.Handler
	prefix  string // of groups
	details string // of attributes so far
}

// Enabled implements [slog.Handler].
func (h handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.next.Enabled(ctx, l)
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		var b strings.Builder
		b.WriteString(h.details)
		r.Attrs(func(a slog.Attr) bool { write(&b, h.prefix, a); return true })
		h.journal.add(status.Change{At: r.Time, Level: strings.ToLower(r.Level.String()), What: r.Message, Details: b.String()})
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.details)
	for _, a := range attrs {
		write(&b, h.prefix, a)
	}
	h.details, h.next = b.String(), h.next.WithAttrs(attrs)
	return h
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.prefix, h.next = h.prefix+name+".", h.next.WithGroup(name)
	}
	return h
}

// write adds KEY=VALUE, as the text of a log has it.
func write(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			write(b, prefix, inner)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(prefix + a.Key + "=" + quoted(v.String()))
}

// quoted is a value as one word.
func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, " =\"\n\t") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
	}
	return s
}
