package logqueue

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestLinesPassInOrder(t *testing.T) {
	var out strings.Builder
	q := New(&out)
	for i := range size {
		fmt.Fprintf(q, "line %d\n", i)
	}
	q.Close()
	q.Close() // once more does no harm
	q.Run()
	if lines := strings.Split(out.String(), "\n"); len(lines) != size+1 || lines[size-1] != fmt.Sprintf("line %d", size-1) {
		t.Errorf("%d lines, the last %q", len(lines)-1, lines[len(lines)-2])
	}
}

// The lines are copied, and a reader that has stopped holds nobody up.
func TestNobodyReads(t *testing.T) {
	r, w := io.Pipe()
	q := New(w)
	done := make(chan struct{})
	go func() { q.Run(); close(done) }()
	line := []byte("first\n")
	for range 2*size + 2 { // one may be with the writer already
		if n, err := q.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	copy(line, "xxxxx")
	q.Close()
	var out strings.Builder
	read := make(chan struct{})
	go func() { _, _ = io.Copy(&out, r); close(read) }()
	<-done
	w.Close()
	<-read
	if got := out.String(); strings.Contains(got, "x") || !strings.Contains(got, " log lines lost: nobody read them in time\n") {
		t.Errorf("read %d bytes, ending in %q", len(got), got[max(0, len(got)-100):])
	}
}
