package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/status"
)

// Fence is what a host's kernel has of the fence by which a node that has lost its
// lease falls silent.
type Fence struct {
	Kernel string `json:"kernel"` // its release
	// Apart says that it was tried with packets, in a network namespace of its own.
	// Else only an entry was seen to go away.
	Apart   bool   `json:"apart,omitempty"`
	Lacks   string `json:"lacks,omitempty"` // the kernel has no nf_tables, or not all of it: what it said
	Timed   Timed  `json:"timed"`
	Owner   bool   `json:"owner,omitempty"`   // tables can belong to a process (Linux 5.12)
	Persist bool   `json:"persist,omitempty"` // and stay when it is gone (Linux 6.9)
	Egress  string `json:"egress,omitempty"`  // why announcements can't be guarded; "": they can, or it was not tried

	Layers map[string][]status.Fence `json:"layers,omitempty"` // of a kshalb that runs, by the VIP's name
}

// Timed is how a set's entry with a timeout went.
type Timed struct {
	Timeout time.Duration `json:"timeout"`
	Opened  bool          `json:"opened"` // it was seen at work
	Ended   time.Duration `json:"ended"`  // when it was last seen at work, after it was put there
	Closed  bool          `json:"closed"` // it was seen to be gone
}

const (
	fenceTimeout = 300 * time.Millisecond
	fenceWatch   = 700 * time.Millisecond // how long it is looked at, at most
	fenceStep    = 3 * time.Millisecond   // between two looks

	// fenceTable is the table of a trial.
	fenceTable = "kshalb-doctor"
)

func lookFence(ctx context.Context, l *Looker, v *View) error {
	f := Fence{Kernel: kernelRelease()}
	if l.Layers != nil {
		f.Layers = l.Layers()
	}
	err := apart(func(leave func() error) error {
		if err := leave(); err != nil {
			return err
		}
		f.Apart = true
		return f.tryApart(ctx)
	})
	if !f.Apart && mayNot(err) { // a container without CAP_SYS_ADMIN
		err = f.tryHere(ctx)
	}
	switch {
	case lacksTables(err):
		f.Lacks = err.Error()
	case mayNot(err):
		return fmt.Errorf("%w (needs root, or CAP_NET_ADMIN)", err)
	case err != nil:
		return err
	}
	v.Fence = &f
	return nil
}

func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// lacksTables reports whether err is what a kernel without nf_tables, or a part of
// it, says.
func lacksTables(err error) bool {
	for _, e := range []error{unix.EPROTONOSUPPORT, unix.EINVAL, unix.EOPNOTSUPP, unix.ENOENT, unix.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// errBusy says that this process was kept waiting for too long to see anything.
var errBusy = errors.New("this machine is too busy to see a timeout of " + fenceTimeout.String())

// try arms an entry and watches it, again where this process was kept waiting
// meanwhile.
func (t *Timed) try(ctx context.Context, arm func() (armed time.Time, err error), works func() (bool, error)) (err error) {
	const tries = 4
	for range tries {
		*t = Timed{Timeout: fenceTimeout}
		armed, err := arm()
		if err != nil {
			return fmt.Errorf("arm an entry of nf_tables: %w", err)
		}
		seen, err := t.watch(ctx, armed, works)
		if seen || err != nil {
			return err
		}
	}
	return errBusy
}

// watch calls works, which says whether the entry that was armed just now is at work,
// until it is gone, or stays for too long. seen is false when nothing can be said,
// since the first look came late.
func (t *Timed) watch(ctx context.Context, armed time.Time, works func() (bool, error)) (seen bool, err error) {
	tick := time.NewTicker(fenceStep)
	defer tick.Stop()
	for {
		at := time.Now() // before: what is decided is decided later than this
		ok, err := works()
		if err != nil {
			return false, err
		}
		seen = seen || ok || time.Since(armed) < t.Timeout
		if t.Closed = !ok; ok {
			t.Opened, t.Ended = true, at.Sub(armed)
		}
		if at.Sub(armed) > t.Timeout && (t.Closed || at.Sub(armed) > fenceWatch) {
			return seen, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}
