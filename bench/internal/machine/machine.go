// Package machine has what a measurement must know of the machine that it runs
// on, and share with others on it.
package machine

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// Describe says on what, and beside what, it is measured: a line of Markdown.
func Describe() string {
	return fmt.Sprintf("%s. %d processors (%s, %s), Linux %s, load before %s.\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), processor(fileText("/proc/cpuinfo")), runtime.GOARCH,
		fileText("/proc/sys/kernel/osrelease"), fileText("/proc/loadavg"))
}

// processor is the name of the first one, as /proc/cpuinfo has it.
func processor(info string) string {
	for line := range strings.Lines(info) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unnamed"
}

func fileText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
