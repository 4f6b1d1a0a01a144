package hooks

import (
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What events are about, and hooks are for.
const (
	Holder  = "holder"  // who holds a VIP
	Backend = "backend" // the state of a backend
)

// What has changed about the holder of a VIP.
const (
	Taken     = "taken"     // the address is on this host now
	Withdrawn = "withdrawn" // it is gone from this host
	Elsewhere = "elsewhere" // another node is known to hold it, and not the one before
)

// Event is one change. What does not apply is the zero value.
type Event struct {
	On string // Holder or Backend
	At time.Time

	VIP    string // its name; with Backend that of the listener
	Reason string // in one short line, partly in words of other hosts; "" is unknown

	// With Holder.
	Change  string // Taken, Withdrawn or Elsewhere
	Address string // of the VIP
	Holder  string // as this node knows it; "" is nobody
	Was     string // the last one before
	Term    uint64

	// With Backend.
	Listener string // its name
	Backend  string // ADDRESS:PORT
	From, To string // its states
}

// subject is what the event is about: of two with the same one the later counts.
func (e Event) subject() string {
	if e.On == Holder {
		return "VIP " + e.VIP
	}
	return "backend " + e.Backend + " of " + e.Listener
}

// String is for the log.
func (e Event) String() string {
	return e.subject() + " " + e.Change + e.To // one of the two
}

// inherited are the variables that a command has from this process.
func inherited() []string { return []string{"PATH", "HOME", "LANG"} }

// environ is the environment of a command: all variables are there for each event.
func (e Event) environ(node string) []string {
	var all []string
	for _, name := range inherited() {
		if value, is := os.LookupEnv(name); is {
			all = append(all, name+"="+value)
		}
	}
	term := ""
	if e.Term > 0 {
		term = strconv.FormatUint(e.Term, 10)
	}
	for _, v := range []struct{ name, value string }{
		{"EVENT", e.On}, {"NODE", node}, {"TIME", e.At.UTC().Format("2006-01-02T15:04:05.000Z")},
		{"VIP", e.VIP}, {"REASON", e.Reason},
		{"CHANGE", e.Change}, {"ADDRESS", e.Address}, {"HOLDER", e.Holder}, {"WAS", e.Was}, {"TERM", term},
		{"LISTENER", e.Listener}, {"BACKEND", e.Backend}, {"FROM", e.From}, {"TO", e.To},
	} {
		all = append(all, "KSHALB_"+v.name+"="+oneLine(v.value))
	}
	return all
}

// maxValue bounds what others can put into an environment.
const maxValue = 512

// oneLine takes out what an environment cannot have (NUL), and what makes more than
// one line of a text.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), maxValue)], "")
}
