package election

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts in testdata anew")

// TestTranscripts plays the stories in testdata in the simulator, in calm, with
// a millisecond for each message, and compares what is told. A story is
// paragraphs: a command, and below it what followed. Renewals that change
// nothing are not told.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-rewrite writes it anew, after a look at the difference:\n%s", diff)
			}
		})
	}
}

// play returns a story as it goes now.
func play(t *testing.T, story string) string {
	var st stage
	for paragraph := range strings.SplitSeq(strings.TrimSpace(story), "\n\n") {
		first, _, _ := strings.Cut(paragraph, "\n")
		if strings.HasPrefix(first, "#") {
			st.told.WriteString(paragraph + "\n\n")
			continue
		}
		st.told.WriteString(first + "\n")
		st.do(t, strings.Fields(first))
		st.told.WriteString("\n")
	}
	return strings.TrimSuffix(st.told.String(), "\n")
}

// stage is a simulation that tells what happens.
type stage struct {
	s    *sim
	told strings.Builder
}

func (st *stage) do(t *testing.T, words []string) {
	if words[0] == "voters" {
		st.begin(t, words[1:])
		return
	}
	if words[0] == "run" {
		d, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		st.s.run(st.s.now + d)
		return
	}
	n := st.node(t, words[1])
	d := n.daemon
	switch words[0] {
	case "cut":
		st.s.cut(n, st.s.nodes, time.Hour, true, true)
	case "heal":
		for _, other := range st.s.nodes {
			delete(n.cutIn, other.name)
			delete(other.cutIn, n.name)
		}
	case "kill":
		n.daemon = nil
	case "start":
		n.start()
	case "pause":
		d.pause(time.Hour)
	case "continue":
		d.resume()
	case "handover":
		d.do(func() {
			if err := d.machine.Handover(d.clock(), strings.Join(words[2:], "")); err != nil {
				st.s.logf("%v", err)
			}
		})
	case "fitness":
		for f := Unable; f <= Fit; f++ {
			if f.String() == words[2] {
				d.do(func() { d.machine.SetFitness(d.clock(), f) })
			}
		}
	case "reload":
		d.do(func() {
			voters := votersOf(words[2:])
			if err := d.machine.CheckVoters(voters); err != nil {
				st.s.logf("%v", err)
				return
			}
			d.machine.Reconfigure(d.clock(), voters, nil, false)
		})
	default:
		t.Fatalf("unknown command %q", words[0])
	}
	st.s.run(st.s.now)
}

func (st *stage) node(t *testing.T, name string) *simNode {
	for _, n := range st.s.nodes {
		if n.name == name {
			return n
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

// begin makes a cluster: "voters 3 [witness] [bootstrap] [preempt]".
func (st *stage) begin(t *testing.T, words []string) {
	cfg := simConfig{timing: clusterTiming, script: st.tell}
	if _, err := fmt.Sscan(words[0], &cfg.voters); err != nil {
		t.Fatal(err)
	}
	for _, word := range words[1:] {
		switch word {
		case "witness":
			cfg.witnesses = 1
		case "bootstrap":
			cfg.bootstrap = true
		case "preempt":
			cfg.preempt = true
		default:
			t.Fatalf("unknown kind of cluster %q", word)
		}
	}
	st.s = newSim(t, 1, cfg)
}

func (st *stage) tell(at time.Duration, line string) {
	fmt.Fprintf(&st.told, "%9.3fs  %s\n", at.Seconds(), line)
}

// saying is a message in words; "" for one that only renews.
func saying(to string, m Message) string {
	switch from := m.From.Node + " to " + to + ": "; {
	case m.Request != nil && !m.Request.Holding:
		return fmt.Sprintf("%sgrant me term %d (attempt %d)", from, m.Request.Term, m.Request.Attempt)
	case m.Response != nil && !m.Response.Granted:
		return fmt.Sprintf("%sno, held by %s for %v", from, m.Response.HeldBy, m.Response.Remaining.Round(time.Millisecond))
	case m.Release != nil && m.Release.Successor != "":
		return fmt.Sprintf("%sreleased, for %s", from, m.Release.Successor)
	case m.Release != nil:
		return from + "released"
	}
	return ""
}
