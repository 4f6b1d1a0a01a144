package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/drill/clients"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

// fake is a cluster of three, seen from m1, where another takes over after a lease.
type fake struct {
	mu     sync.Mutex
	holder string
	dead   string   // who is missed
	did    []string // in order
	unable map[fault.Kind]error
	vip    status.VIP // what else is said of it

	notice  time.Duration // that a killed one is not missed
	restart time.Duration // until a killed one is back; 0 is as for other faults
	struck  time.Time     // last
	gone    string        // who is struck
}

var names = []string{"m1", "m2", "m3"}

func (f *fake) Status(context.Context) (status.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.vip
	v.Name, v.Holder = "v", f.holder
	n := status.Node{Name: "m1", Ready: true, VIPs: []status.VIP{v}}
	for _, name := range names {
		p := status.Peer{Name: name, State: "alive"}
		if name == f.dead {
			p.State = "dead"
		}
		n.Peers = append(n.Peers, p)
	}
	return n, nil
}

func (f *fake) note(format string, a ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, fmt.Sprintf(format, a...))
}

func (f *fake) Handover(_ context.Context, vip, node string) error {
	f.note("%s to %s", vip, node)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone == node {
		return errors.New(node + " has not been heard")
	}
	f.holder = node
	return nil
}

func (f *fake) Able(_ context.Context, node string, kind fault.Kind) error {
	if err := f.unable[kind]; err != nil {
		return fmt.Errorf("%s: %w", node, err)
	}
	return nil
}

func (f *fake) Inflict(_ context.Context, node string, kind fault.Kind, hold time.Duration) error {
	f.note("%s %s", kind, node)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.struck, f.gone = time.Now(), node
	noticed, over := time.Duration(0), hold+100*time.Millisecond
	if kind == fault.Kill && f.restart > 0 {
		noticed, over = f.notice, f.restart
	}
	time.AfterFunc(noticed, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dead = node
	})
	time.AfterFunc(500*time.Millisecond, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.holder = names[(slices.Index(names, node)+1)%3]
	})
	time.AfterFunc(over, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dead, f.gone = "", ""
	})
	return nil
}

// fakeClient has the same gap whenever it is asked, and is always answered.
type fakeClient time.Duration

func (fakeClient) Run(ctx context.Context) { <-ctx.Done() }
func (c fakeClient) Summary(_, _ time.Time) clients.Summary {
	return clients.Summary{Requests: 9, Failed: 1, Gap: time.Duration(c), Errors: map[string]int{"refused": 1}}
}
func (fakeClient) Answered(time.Time) bool                    { return true }
func (fakeClient) Listening() bool                            { return true }
func (c fakeClient) Told(_, _ time.Time) (time.Duration, int) { return time.Duration(c), 1 }

// fakeEyes see what they are told.
type fakeEyes Wire

func (fakeEyes) Run(ctx context.Context) error         { <-ctx.Done(); return nil }
func (e fakeEyes) Seen(_, _ time.Time, _ *tenure) Wire { return Wire(e) }

const text = `version: 1
cluster:
  peers: [{name: m1, address: 192.0.2.1}, {name: m2, address: 192.0.2.2}, {name: m3, address: 192.0.2.3}]
  gossip: {insecure: true}
vips: [{name: v, address: 192.0.2.10}]
listeners: [{name: api, vip: v, port: 6443, backends: {peers: true, port: 6443}}]
`

func aDrill(t *testing.T, f *fake, o Options, gap time.Duration, w Wire) *Drill {
	t.Helper()
	cfg, err := config.Parse("kshalb.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(cfg, f, o)
	if err != nil {
		t.Fatal(err)
	}
	c := fakeClient(gap)
	d.newClients = func() trio { return trio{c, c, c} }
	d.newEyes = func(string) (eyes, error) { return fakeEyes(w), nil }
	return d
}

// TestStory: the holder is struck where its clients are not, each time on a whole
// cluster, and gets the address back.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{holder: "m1", unable: map[fault.Kind]error{fault.Cut: errors.New("no nf_tables")}}
		d := aDrill(t, f, Options{}, 30*time.Millisecond, Wire{Questions: 50, Owners: []string{"aa", "bb"}})
		words, err := d.Prepare(t.Context())
		if err != nil || !strings.Contains(words, "which m1 holds now") || !strings.Contains(words, "cut       left out: m2: no nf_tables; m3: no nf_tables") {
			t.Fatalf("%s, %v", words, err)
		}
		r, err := d.Run(t.Context())
		if err != nil || !r.Restored || r.Faults() {
			t.Errorf("%+v, %v", r, err)
		}
		if f.holder != "m1" || f.dead != "" {
			t.Errorf("in the end %+v", f)
		}
		if want := []string{"v to m2", "kill m2", "pause m3"}; !slices.Equal(f.did, want) {
			t.Errorf("done: %q, want %q", f.did, want)
		}
		var out bytes.Buffer
		if err := r.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"handover  m1    m2  new connections", "refused", "aa, bb", "cut was left out", "never did two answer"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the text lacks %q:\n%s", want, &out)
			}
		}
	})
}

// TestSlowRestart: a killed kshalb may be missed late, and be back later still, as the
// kubelet has it. Nobody else is struck before it votes again.
func TestSlowRestart(t *testing.T) {
	for _, f := range []*fake{
		{holder: "m2", notice: 6900 * time.Millisecond, restart: 15800 * time.Millisecond},
		{holder: "m2", notice: time.Hour, restart: 6800 * time.Millisecond}, // it is never missed
	} {
		synctest.Test(t, func(t *testing.T) {
			d := aDrill(t, f, Options{Kinds: []Kind{"kill", "pause"}, Hold: fault.MinHold}, 0, Wire{})
			if _, err := d.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			var killed time.Time
			d.opts.Tell = func(words string) {
				if strings.HasPrefix(words, "kill:") {
					killed = time.Now()
				}
			}
			if _, err := d.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := f.struck.Sub(killed); after < f.restart+5500*time.Millisecond {
				t.Errorf("%q: the next one is struck %v after a kill whose victim is back after %v, silent for 5.5 s", f.did, after, f.restart)
			}
		})
	}
}

// TestStopped: whatever is under way is undone, and the address goes back.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{holder: "m2"}
		d := aDrill(t, f, Options{Kinds: []Kind{"pause"}}, 0, Wire{})
		if _, err := d.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(1700*time.Millisecond, stop)
		r, err := d.Run(ctx)
		if !errors.Is(err, context.Canceled) || !r.Restored || len(r.Rounds) != 0 || f.holder != "m2" || f.dead != "" {
			t.Errorf("%+v, %v; %+v", r, err, f)
		}
	})
}

// TestStoppedAfterAKill: the address goes back to the killed one when that can have it.
func TestStoppedAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{holder: "m2", notice: 6900 * time.Millisecond, restart: 15800 * time.Millisecond}
		d := aDrill(t, f, Options{Kinds: []Kind{"kill"}, Hold: fault.MinHold}, 0, Wire{})
		if _, err := d.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(2500*time.Millisecond, stop)
		r, err := d.Run(ctx)
		if !errors.Is(err, context.Canceled) || !r.Restored || f.holder != "m2" {
			t.Errorf("%+v, %v; %+v", r, err, f)
		}
		if after := time.Since(f.struck); after < f.restart+5500*time.Millisecond {
			t.Errorf("it got the address %v after the kill, while it did not vote", after)
		}
	})
}

// TestPromisesBroken: what is longer than promised, and two owners, are faults.
func TestPromisesBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{holder: "m2"}
		d := aDrill(t, f, Options{Kinds: []Kind{"cut"}}, 5*time.Second, Wire{Questions: 50, Doubles: 2})
		if _, err := d.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := d.Run(t.Context())
		if err != nil || !r.Faults() {
			t.Fatalf("%+v, %v", r, err)
		}
		if got := strings.Join(r.Rounds[0].Faults, "\n"); !strings.Contains(got, "two had the address at the same time, say the answers to 2 of 50 questions") {
			t.Error(got)
		}
	})
	promised := bounds{650 * time.Millisecond, 1650 * time.Millisecond, 1650 * time.Millisecond}
	r := Round{Watch: Client{Gap: 7000}}
	r.judge(promised)
	if len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "the watch: in 7000 ms nobody told it that its server had gone") {
		t.Errorf("%q", r.Faults)
	}
	r = Round{Fresh: Client{Gap: 700}, Kept: Client{Gap: 1600}, Watch: Client{Gap: 1700, Broken: 1}}
	r.judge(promised)
	if len(r.Faults) != 2 || !strings.HasPrefix(r.Faults[0], "new connections: 700 ms") || !strings.HasPrefix(r.Faults[1], "the watch: 1700 ms") {
		t.Errorf("%q", r.Faults)
	}
}

// TestUnwell: nothing is done to a cluster that is not whole, or by request when it
// would not be undone.
func TestUnwell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{holder: "", dead: "m3"}
		_, err := aDrill(t, f, Options{}, 0, Wire{}).Prepare(t.Context())
		var not *Unhealthy
		if !errors.As(err, &not) || !slices.Equal(not.Lacks, []string{"nobody holds v", "m3 is dead"}) {
			t.Error(err)
		}
		f = &fake{holder: "m2", unable: map[fault.Kind]error{fault.Kill: errors.New("nobody starts it again")}}
		if _, err := aDrill(t, f, Options{Kinds: []Kind{"kill"}}, 0, Wire{}).Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody starts it again") {
			t.Error(err)
		}
		if len(f.did) > 0 {
			t.Errorf("done: %q", f.did)
		}
	})
}
