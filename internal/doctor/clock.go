package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is how a host's clocks go.
type Clock struct {
	Source string `json:"source,omitempty"` // that the kernel reads (/sys/devices/system/clocksource)
	// Synchronized says that something sets the clock by others (adjtimex(2)).
	Synchronized bool `json:"synchronized"`
	// Rate is by how much the clock that leases are counted by runs faster than the
	// hardware behind it, in millionths (CLOCK_MONOTONIC and CLOCK_MONOTONIC_RAW).
	Rate float64 `json:"ratePpm"`
	// Step is by how much the time of day was set meanwhile.
	Step Seconds `json:"step"`
}

// clockTime is how long the rate is measured: long enough for a few millionths.
const clockTime = time.Second

const clockSource = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

func lookClock(ctx context.Context, l *Looker, v *View) error {
	var c Clock
	if text, err := l.hostHead(clockSource); err == nil {
		c.Source = strings.TrimSpace(string(text))
	}
	var x unix.Timex // no mode: it only tells
	state, err := unix.Adjtimex(&x)
	if err != nil {
		return fmt.Errorf("ask the kernel about its clock: %w", err)
	}
	c.Synchronized = state != unix.TIME_ERROR && x.Status&unix.STA_UNSYNC == 0
	begin, err := readClocks()
	if err != nil {
		return err
	}
	select {
	case <-time.After(clockTime):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	end, err := readClocks()
	if err != nil {
		return err
	}
	counted := end.monotonic - begin.monotonic
	c.Rate = (float64(counted)/float64(end.raw-begin.raw) - 1) * 1e6
	c.Step = Seconds((end.wall - begin.wall - counted).Seconds())
	v.Clock = &c
	return nil
}

// clocks are read at the same time.
type clocks struct{ monotonic, raw, wall time.Duration }

// readClocks reads them between two looks at one of them, as close together as this
// process gets to it.
func readClocks() (best clocks, err error) {
	spread := time.Duration(-1)
	for range 10 {
		var at [4]time.Duration
		for i, id := range []int32{unix.CLOCK_MONOTONIC_RAW, unix.CLOCK_MONOTONIC, unix.CLOCK_REALTIME, unix.CLOCK_MONOTONIC_RAW} {
			var ts unix.Timespec
			if err := unix.ClockGettime(id, &ts); err != nil {
				return best, fmt.Errorf("read a clock: %w", err)
			}
			at[i] = time.Duration(ts.Nano())
		}
		if took := at[3] - at[0]; spread < 0 || took < spread {
			spread, best = took, clocks{monotonic: at[1], raw: at[0] + took/2, wall: at[2]}
		}
	}
	return best, nil
}
