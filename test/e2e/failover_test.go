package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// bound is within which requests must work again after a fault on a busy machine;
// the table at the end tells what it took.
const bound = 30 * time.Second

// fault is a way to lose a master, and the way back.
type fault struct {
	name string
	do   func(context.Context, *cluster.Master) error
	undo func(*cluster.Master) error
}

func faults() []fault {
	restart := func(m *cluster.Master) error { return m.Start() }
	return []fault{
		{"kill -9", func(_ context.Context, m *cluster.Master) error { return m.Kshalb().Kill() }, restart},
		{"link down", func(_ context.Context, m *cluster.Master) error { return m.Cut(lab.LinkDown) },
			func(m *cluster.Master) error { return m.Heal() }},
		{"SIGTERM", func(ctx context.Context, m *cluster.Master) error { return m.Kshalb().Stop(ctx) }, restart},
	}
}

// TestFailover loses each master by each fault, preferring the one that holds
// the address, while client-go works through the VIP.
func TestFailover(t *testing.T) {
	p := start(t)
	w, err := newWorkload(p)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	must(t, w.works(labtest.Context(t, bound), time.Now()))

	var gaps measured
	for todo := everyFaultOnEveryMaster(p); len(todo) > 0; {
		c := take(&todo, holder(t, p))
		ok := t.Run(c.fault.name+" on "+c.master.Name(), func(t *testing.T) { p.lose(t, w, c, &gaps) })
		if !ok {
			t.FailNow() // the next would begin in disorder
		}
	}
	t.Log(gaps.table())
}

// loss is one fault on one master.
type loss struct {
	master *cluster.Master
	fault  fault
}

func everyFaultOnEveryMaster(p *controlPlane) []loss {
	var all []loss
	for _, f := range faults() {
		for _, m := range p.Masters {
			all = append(all, loss{m, f})
		}
	}
	return all
}

// take removes one from the list: of the holder, if there is one left.
func take(todo *[]loss, holder string) loss {
	i := max(0, slices.IndexFunc(*todo, func(c loss) bool { return c.master.Name() == holder }))
	c := (*todo)[i]
	*todo = slices.Delete(*todo, i, i+1)
	return c
}

// holder is who has the address on an interface, when exactly one has.
func holder(t *testing.T, p *controlPlane) string {
	t.Helper()
	owners, err := p.Lab.Owners(p.VIP)
	must(t, err)
	if len(owners) != 1 {
		t.Fatalf("%v have the address, want one", owners)
	}
	return owners[0]
}

// lose plays one fault: it observes, breaks, waits until all works again,
// compares the stories, and restores.
func (p *controlPlane) lose(t *testing.T, w *workload, c loss, gaps *measured) {
	observer, err := p.Lab.Watch(p.VIP)
	must(t, err)
	held := holder(t, p) == c.master.Name()
	ctx := labtest.Context(t, bound)
	at := time.Now()
	must(t, c.fault.do(ctx, c.master))

	others := slices.DeleteFunc(slices.Clone(p.Masters), func(m *cluster.Master) bool { return m == c.master })
	seen, err := observer.WaitOwner(ctx, at, lost(c, held)...)
	must(t, err)
	must(t, w.works(ctx, seen.To))
	gaps.add(c, held, seen.To.Sub(at), w, at)
	p.sameStory(ctx, t, seen.Host, others)

	ctx = labtest.Context(t, startup)
	must(t, c.fault.undo(c.master))
	must(t, p.restored(ctx))
	must(t, w.works(ctx, time.Now()))
	p.sameStory(ctx, t, holder(t, p), p.Masters)
	w.complete(ctx, t)
	labtest.OneOwner(t, observer)
}

// lost names the master when the address has to leave it.
func lost(c loss, held bool) []string {
	if !held {
		return nil
	}
	return []string{c.master.Name()}
}

// measured is how long things took, by fault.
type measured struct{ rows []row }

type row struct {
	fault string
	gaps  [4]time.Duration
}

func (m *measured) add(c loss, held bool, moved time.Duration, w *workload, at time.Time) {
	name := c.fault.name + " on the holder"
	if !held {
		name, moved = c.fault.name+" elsewhere", 0
	}
	m.rows = append(m.rows, row{name, [4]time.Duration{moved, w.gap(write, at), w.gap(list, at), w.gap(watch, at)}})
}

// table is min/median/max of each column, by fault.
func (m *measured) table() string {
	var b strings.Builder
	fmt.Fprintln(&b, "min/median/max in ms")
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "FAULT\tTRIALS\tADDRESS MOVED\tNO WRITE FOR\tNO LIST FOR\tWATCH SILENT FOR")
	byFault := make(map[string][]row)
	var order []string
	for _, r := range m.rows {
		if byFault[r.fault] == nil {
			order = append(order, r.fault)
		}
		byFault[r.fault] = append(byFault[r.fault], r)
	}
	slices.Sort(order)
	for _, name := range order {
		rows := byFault[name]
		fmt.Fprintf(t, "%s\t%d", name, len(rows))
		for column := range len(rows[0].gaps) {
			fmt.Fprintf(t, "\t%s", spread(rows, column))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
	return b.String()
}

func spread(rows []row, column int) string {
	var all []int64
	for _, r := range rows {
		all = append(all, r.gaps[column].Milliseconds())
	}
	slices.Sort(all)
	return fmt.Sprintf("%d/%d/%d", all[0], all[len(all)/2], all[len(all)-1])
}
