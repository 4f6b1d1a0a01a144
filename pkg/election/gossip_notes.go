package election

import (
	"context"
	"log/slog"
)

// notebook logs without ever making its caller wait: memberlist logs, and calls
// us, while it holds the lock that sending needs, and whoever reads the log may
// be slow. Lines that find it full are lost.
type notebook struct {
	log   *slog.Logger
	lines chan note
}

type note struct {
	level slog.Level
	text  string
	attrs []any
}

const notebookSize = 64

func newNotebook(log *slog.Logger) *notebook {
	return &notebook{log: log, lines: make(chan note, notebookSize)}
}

func (n *notebook) add(level slog.Level, text string, attrs ...any) {
	if !n.log.Enabled(context.Background(), level) {
		return
	}
	select {
	case n.lines <- note{level, text, attrs}:
	default:
	}
}

func (n *notebook) debug(text string, attrs ...any) { n.add(slog.LevelDebug, text, attrs...) }
func (n *notebook) info(text string, attrs ...any)  { n.add(slog.LevelInfo, text, attrs...) }
func (n *notebook) warn(text string, attrs ...any)  { n.add(slog.LevelWarn, text, attrs...) }

// run writes the lines until stop is closed, and then those that are left.
func (n *notebook) run(stop <-chan struct{}) {
	for {
		select {
		case line := <-n.lines:
			n.write(line)
		case <-stop:
			for {
				select {
				case line := <-n.lines:
					n.write(line)
				default:
					return
				}
			}
		}
	}
}

func (n *notebook) write(line note) {
	n.log.Log(context.Background(), line.level, line.text, line.attrs...)
}
