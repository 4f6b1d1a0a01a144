package machine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Family is a process and those that it has started, and theirs.
func Family(pid int) ([]int, error) {
	parents, err := parentsOf()
	if err != nil {
		return nil, err
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		for child, parent := range parents {
			if parent == all[i] {
				all = append(all, child)
			}
		}
	}
	return all, nil
}

// parentsOf returns the parent of every process.
func parentsOf() (map[int]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	parents := make(map[int]int, len(entries))
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		if parents[pid], err = parseParent(stat); err != nil {
			return nil, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
		}
	}
	return parents, nil
}

// parseParent takes the fourth field of /proc/PID/stat (proc_pid_stat(5)). The
// second, the program's name, may have spaces and parentheses in it.
func parseParent(stat []byte) (int, error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 2 {
		return 0, fmt.Errorf("%q is not what the manual says", stat)
	}
	return strconv.Atoi(fields[1])
}
