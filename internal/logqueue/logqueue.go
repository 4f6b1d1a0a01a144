// Package logqueue keeps whoever logs from waiting for whoever reads the log: a
// terminal that is stopped or a full pipe must not cost the lease.
package logqueue

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// size is how many lines may wait.
const size = 1024

// Queue passes lines on to a writer in order. Write never waits; lines that find
// the queue full are lost, and their number is told in their place as soon as
// there is room. Its methods are safe for concurrent use.
type Queue struct {
	to    io.Writer
	lines chan []byte
	lost  atomic.Uint64
	stop  chan struct{}
	once  sync.Once
}

// New returns a queue before to. It starts nothing: Run passes the lines on.
func New(to io.Writer) *Queue {
	return &Queue{to: to, lines: make(chan []byte, size), stop: make(chan struct{})}
}

// Write takes one line, which it copies. It always succeeds.
func (q *Queue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.lost.Add(1)
	}
	return len(line), nil
}

// Run passes lines on until Close, and then those that are left. Errors of the
// writer are ignored: there is nowhere to tell them.
func (q *Queue) Run() {
	for {
		select {
		case line := <-q.lines:
			q.pass(line)
		case <-q.stop:
			for {
				select {
				case line := <-q.lines:
					q.pass(line)
				default:
					q.tellLost()
					return
				}
			}
		}
	}
}

// Close lets Run end when it has passed on what is there. It does not wait.
func (q *Queue) Close() { q.once.Do(func() { close(q.stop) }) }

func (q *Queue) pass(line []byte) {
	q.tellLost()
	_, _ = q.to.Write(line)
}

func (q *Queue) tellLost() {
	if n := q.lost.Swap(0); n > 0 {
		_, _ = fmt.Fprintf(q.to, "kshalb: %d log lines lost: nobody read them in time\n", n)
	}
}
