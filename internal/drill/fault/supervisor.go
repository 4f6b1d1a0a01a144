package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// errAlone is where nobody is known to start kshalb again.
var errAlone = errors.New("nothing is known here that would start this kshalb again, so it is not killed; run it as a static pod," +
	" or as a systemd service with Restart=always. `kshalb run --supervised` says that something else does it")

// supervised is nil where the process is known to be started again when it is killed:
// in a pod, by the kubelet (static pods that say nothing else have restartPolicy
// Always), or as a service whose unit has it so.
func supervised(mountinfo, systemd string) error {
	mounts, err := os.ReadFile(mountinfo)
	if err == nil && inPod(string(mounts)) {
		return nil
	}
	if _, err := os.Lstat(systemd); err != nil {
		return errAlone
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, err := askSystemd(ctx, systemd, os.Getpid())
	if err != nil {
		return fmt.Errorf("ask systemd whether it would start this kshalb again: %w (%w)", err, errAlone)
	}
	return s.again(os.Getpid())
}

// podMount is what the kubelet mounts into each container, from the folder of the
// pod: /dev/termination-log, say.
var podMount = regexp.MustCompile(`/pods/[0-9a-f-]{32,36}/(containers|volumes|etc-hosts)`)

// inPod looks at the roots of this process's mounts (proc_pid_mountinfo(5), field 4).
func inPod(mountinfo string) bool {
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 4 && podMount.MatchString(f[3]) {
			return true
		}
	}
	return false
}

// service is what systemd says of the unit of a process.
type service struct {
	unit    string
	main    int    // process that the unit is about
	restart string // systemd.service(5), Restart=
}

// again is nil when systemd starts the service again after SIGKILL.
func (s service) again(pid int) error {
	after := []string{"always", "on-failure", "on-abnormal", "on-abort"}
	switch {
	case s.main != pid:
		return errAlone // a shell, or a test, in somebody else's service
	case !slices.Contains(after, s.restart):
		return fmt.Errorf("systemd would not start %s again, which has Restart=%s, so it is not killed; add Restart=always to the unit"+
			" (systemd-run: -p Restart=always)", s.unit, s.restart)
	}
	return nil
}
