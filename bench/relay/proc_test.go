package main

import (
	"os"
	"testing"
	"time"
)

func TestParsePSS(t *testing.T) {
	rollup := "00400000-7fff Rss [rollup]\nRss:      2000 kB\nPss:      1500 kB\nPss_Dirty:  1 kB\n"
	if got, err := parsePSS([]byte(rollup)); err != nil || got != 1500<<10 {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := parsePSS([]byte("Rss: 2000 kB\n")); err == nil {
		t.Error("memory without the line is accepted")
	}
}

func TestParseBusy(t *testing.T) {
	stat := "cpu  100 20 3 1000 50 4 5 600 0 0\ncpu0 1 1 1 1\n"
	if got, err := parseBusy([]byte(stat)); err != nil || got != 1320*time.Millisecond {
		t.Errorf("%v, %v", got, err) // neither idle, iowait nor stolen time
	}
	if _, err := parseBusy([]byte("cpu0 1 2 3 4 5 6 7 8\n")); err == nil {
		t.Error("a processor's line is taken for the machine's")
	}
}

// The kernel's own words are understood too.
func TestOwnProcess(t *testing.T) {
	own := processes{os.Getpid()}
	if cpu, err := own.cpu(); err != nil || cpu <= 0 {
		t.Errorf("processor time %d, %v", cpu, err)
	}
	if memory, err := own.memory(); err != nil || memory < 1<<20 {
		t.Errorf("memory %d, %v", memory, err)
	}
	if n, err := own.descriptors(); err != nil || n < 3 {
		t.Errorf("descriptors %d, %v", n, err)
	}
	if busy, err := machineBusy(); err != nil || busy <= 0 {
		t.Errorf("busy %v, %v", busy, err)
	}
}
