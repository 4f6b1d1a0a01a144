package doctor

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// maxRate is what the election allows for one clock, in millionths (0001).
	maxRate = 1000
	// maxStep is a set time of day that is worth a word.
	maxStep = 100 * time.Millisecond
	// Clocks that differ by more confuse logs, and then certificates.
	oddOffset, badOffset = time.Second, time.Minute
)

// slowSources are read much slower than a processor's own counter, and are taken
// when that was found to be unstable.
var slowSources = []string{"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"}

// judgeClock judges each node's clocks, and what is between them and Self's.
func judgeClock(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		v := c.Views[node]
		if v.Clock == nil {
			continue
		}
		found := append(v.Clock.judge(), c.judgeOffset(v)...)
		all = append(all, orFine(found, node, v.Clock.String())...)
	}
	return all
}

// String is what was seen of clocks that are well.
func (k Clock) String() string {
	return fmt.Sprintf("the clock that leases are counted by is off by %.0f millionths at most of its hardware's (%s), and set by others", math.Ceil(math.Abs(k.Rate)), k.Source)
}

func (k Clock) judge() (found []Finding) {
	add := func(level Level, why, mend, format string, args ...any) {
		found = append(found, Finding{Level: level, Saw: fmt.Sprintf(format, args...), Why: why, Mend: mend})
	}
	if math.Abs(k.Rate) > maxRate {
		add(Fault, fmt.Sprintf("leases are safe while each clock is off by %d millionths at most: two nodes could have the address at the same time", maxRate),
			"look at what adjusts the clock: chronyc tracking, timedatectl timesync-status, adjtimex --print", "the clock that leases are counted by is off by %.0f millionths", k.Rate)
	}
	if s := k.Step.duration(); s.Abs() > maxStep {
		add(Warning, "leases do not mind; certificates, etcd's and the logs' times do", "chronyc tracking, or timedatectl timesync-status; a virtual machine that was paused is set so, too", "the time of day was set by %v within a second", s.Round(time.Millisecond))
	}
	if !k.Synchronized {
		add(Warning, "leases do not mind; its time of day drifts away from that of the others, until certificates seem not yet valid", "timedatectl set-ntp true, or install chrony", "nothing sets this host's clock by others")
	}
	if slices.Contains(slowSources, k.Source) {
		add(Warning, "reading the time is slow, for everything on this host; mostly the processor's own counter was found to be unstable", "dmesg | grep -i clocksource; cat /sys/devices/system/clocksource/clocksource0/available_clocksource", "the kernel reads its time from %s", k.Source)
	}
	return found
}

// judgeOffset holds a peer's time of day against Self's. It is known within the time
// that the question took beyond the look itself.
func (c Case) judgeOffset(v View) []Finding {
	at, ok := c.Asked[v.Node]
	if !ok || v.Node == c.Self {
		return nil
	}
	least, most := v.Taken.Sub(at.Heard)+v.Took.duration(), v.Taken.Sub(at.Sent)
	off := time.Duration(0) // what is certain
	switch {
	case least > 0:
		off = least
	case most < 0:
		off = most
	}
	f := Finding{
		Level: Warning, Saw: fmt.Sprintf("the time of day is at least %v %s that of %s", off.Abs().Round(time.Millisecond), aheadOf(off), c.Self),
		Why: "leases do not mind; the logs of two nodes cannot be compared", Mend: "on both: timedatectl; chronyc tracking",
	}
	switch {
	case off.Abs() > badOffset:
		f.Level = Fault
		f.Why = "leases do not mind; certificates that were just issued are not yet valid there, and tokens have ended"
	case off.Abs() <= oddOffset:
		return nil
	}
	return []Finding{f}
}

func aheadOf(off time.Duration) string {
	if off > 0 {
		return "ahead of"
	}
	return "behind"
}
