package lab

import (
	"bytes"
	"os"
)

// tail returns the last max bytes of a file, from the beginning of a line, or
// the reason why it can't be read.
func tail(path string, max int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(b) <= max {
		return string(b)
	}
	b = b[len(b)-max:]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[i+1:]
	}
	return string(b)
}

// Logs returns the end of the output of every process that was started, by
// the names of process and host: what to print when a test has failed.
func (l *Lab) Logs(bytes int) map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	logs := make(map[string]string, len(l.procs))
	for _, p := range l.procs {
		logs[p.Name()] = p.Tail(bytes)
	}
	return logs
}
