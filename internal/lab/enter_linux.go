package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// entered marks the environment of a program that runs inside.
const entered = "KSHALB_LAB_ENTERED"

// Enter makes this program able to make labs. For root it does nothing.
// For others it runs the program again, with the same arguments, streams and
// environment, as root of a new user, network and mount namespace, and returns
// its exit code when it has ended; ran is true then, and the caller exits with
// the code. Signals to this process go on to the other; when this one is killed,
// so is the other.
//
// The error says what keeps the kernel from it and how to change that.
func Enter() (ran bool, code int, err error) {
	if isInside() {
		return false, 0, inherit()
	}
	if canMake() {
		return false, 0, nil
	}
	code, err = again()
	if err != nil {
		return true, 1, fmt.Errorf("enter a user namespace: %w; %s", err, namespaceFix())
	}
	return true, code, nil
}

// isInside reports whether Enter has run this program again.
func isInside() bool { return os.Getenv(entered) != "" }

// inherit makes the new namespace fit for programs that use loopback.
func inherit() error {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in a new namespace: %w", err)
	}
	defer nl.Close()
	return loopbackUp(nl)
}

// canMake reports whether this process may make network namespaces.
func canMake() bool {
	ns, err := newNamespace()
	if err != nil {
		return false
	}
	ns.close()
	return true
}

func again() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), entered+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
		Setpgid:     true, // a Ctrl-C at the terminal comes once, from here
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	return follow(cmd, signals)
}

// follow runs cmd, passes the signals on to it, and returns its exit code, or
// 128 and the number of the signal that ended it, as shells do.
func follow(cmd *exec.Cmd, signals <-chan os.Signal) (int, error) {
	started := make(chan error)
	ended := make(chan error)
	go func() {
		// The thread that forks must live as long as the process: see starter.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return 0, err
	}
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may have ended
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, err
			}
			if st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && st.Signaled() {
				return 128 + int(st.Signal()), nil
			}
			return cmd.ProcessState.ExitCode(), nil
		}
	}
}
