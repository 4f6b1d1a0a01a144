package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processes are the pids of a balancer: the one that was started, and those
// that it forked.
type processes []int

// cpu is the processor time that they have used, user and kernel, in
// nanoseconds: utime + stime of /proc/PID/stat, but not in steps of 10 ms. The
// clock of a process that is not ours has this number since Linux 2.6.12
// (kernel/time/posix-cpu-timers.c).
func (p processes) cpu() (int64, error) {
	const schedClock = 2
	sum := int64(0)
	for _, pid := range p {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
			return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
		}
		sum += t.Nano()
	}
	return sum, nil
}

// memory is what they hold, in bytes: pages that n processes share count 1/n
// for each.
func (p processes) memory() (int64, error) {
	sum := int64(0)
	for _, pid := range p {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
		pss, err := parsePSS(b)
		if err != nil {
			return 0, fmt.Errorf("read /proc/%d/smaps_rollup: %w", pid, err)
		}
		sum += pss
	}
	return sum, nil
}

// parsePSS takes the line "Pss: 1234 kB", in bytes.
func parsePSS(rollup []byte) (int64, error) {
	for line := range strings.Lines(string(rollup)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kB, err := strconv.ParseInt(f[1], 10, 64)
			return kB << 10, err
		}
	}
	return 0, errors.New("it has no line Pss")
}

// descriptors is how many they have open.
func (p processes) descriptors() (int, error) {
	sum := 0
	for _, pid := range p {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return 0, fmt.Errorf("count the descriptors of process %d: %w", pid, err)
		}
		sum += len(open)
	}
	return sum, nil
}

// machineBusy is how long the processors of the machine have been at work since
// it started, with all that they did.
func machineBusy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(b)
}

// parseBusy adds user, nice, system, irq and softirq of the first line of
// /proc/stat (proc_stat(5)), which are in hundredths of a second.
func parseBusy(stat []byte) (time.Duration, error) {
	line, _, _ := strings.Cut(string(stat), "\n")
	f := strings.Fields(line)
	if len(f) < 8 || f[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	ticks := int64(0)
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
