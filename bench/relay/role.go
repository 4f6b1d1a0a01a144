package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roleEnv marks the environment of this program when it is run again as a
// client or a server; it holds an order.
const roleEnv = "KSHALB_BENCH_ROLE"

// order is what a role is to do.
type order struct {
	Role string // "client", "server" or "balancer"

	Listen netip.AddrPort // of a server
	Run    []string       // of a balancer: the program and its arguments

	Kind     kind           // of a client: what it does, with so many connections,
	To       netip.AddrPort // to this address,
	Conns    int
	Answer   int           // bytes that the server answers a request with
	Warm     time.Duration // that it does it without counting
	Time     time.Duration // and then counting
	Balancer processes     // whose processor time it takes
}

// outcome is what a client has found out. It prints it as JSON.
type outcome struct {
	Error   string             `json:",omitempty"`
	Metrics map[string]float64 `json:",omitempty"`
}

// orderOf returns the order that this process was started with.
func orderOf() (order, bool) {
	text, ok := os.LookupEnv(roleEnv)
	if !ok {
		return order{}, false
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return order{Role: fmt.Sprintf("%s (%v)", text, err)}, true
	}
	return o, true
}

// env is the environment of the process that plays the role.
func (o order) env() ([]string, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("write an order: %w", err)
	}
	return []string{
		roleEnv + "=" + string(text),
		"GODEBUG=asyncpreemptoff=1", // the thread that waits in the kernel is not to be woken every 10 ms
		"GORACE=atexit_sleep_ms=0",  // nor is a test under the race detector to take a second for each
	}, nil
}

// play does what the order says and returns the exit code.
func play(o order) int {
	quiet()
	var metrics map[string]float64
	err := fmt.Errorf("there is no role %s", o.Role)
	switch o.Role {
	case "balancer":
		err = become(o.Run)
	case "server":
		err = serve(o.Listen)
	case "client":
		metrics, err = newClient(o).run()
	}
	out := outcome{Metrics: metrics}
	if err != nil {
		out = outcome{Error: err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil || out.Error != "" {
		return 1
	}
	return 0
}

// become turns this process into a balancer. The lab would have it killed with
// the bench, and nginx's workers would stay: it is asked to end instead.
func become(run []string) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0); err != nil {
		return fmt.Errorf("ask for a signal at the parent's end: %w", err)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, roleEnv+"=") || strings.HasPrefix(v, "GODEBUG=")
	})
	return fmt.Errorf("run %s: %w", run[0], unix.Exec(run[0], run, env))
}

// quiet keeps Go's scheduler and collector away from this thread, which
// allocates next to nothing while it works.
func quiet() {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
}

// raiseDescriptors lets this process, and those that it starts, open as many
// files as they are allowed to, and returns how many that is. More than most is
// not asked for: balancers size tables by it. Setting it, even to what it is,
// makes Go pass it on.
func raiseDescriptors(most uint64) (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Max = min(limit.Max, most)
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("set the limit of open files to %d: %w", limit.Max, err)
	}
	return int(limit.Cur), nil
}
