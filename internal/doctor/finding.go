package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Level is how bad a [Finding] is. The worst is the smallest.
type Level int

// The levels.
const (
	Fault   Level = iota // it does not work, or will not when it is needed
	Warning              // it works, with a risk that should be known
	Unseen               // it could not be looked at
	Fine                 // it was looked at, and is well
)

var levelNames = [...]string{"fault", "warning", "unseen", "fine"}

func (l Level) String() string { return levelNames[l] }

// MarshalText is the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a level's name.
func (l *Level) UnmarshalText(text []byte) error {
	i := slices.Index(levelNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("level %q is not known", text)
	}
	*l = Level(i)
	return nil
}

// Finding is one thing that was looked at on one node.
type Finding struct {
	Level Level  `json:"level"`
	Topic string `json:"topic"`
	Node  string `json:"node,omitempty"` // whose host it is about; "" is the cluster
	Saw   string `json:"saw"`            // what was seen, with figures and names
	Why   string `json:"why,omitempty"`  // why it matters; not needed when it is fine
	Mend  string `json:"mend,omitempty"` // the command, or the words, that mend it
}

// sortFindings puts the worst first, and keeps the order of the topics within a
// level.
func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Level, b.Level) })
}

// Faults reports whether one of them is a [Fault].
func Faults(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Level == Fault })
}
