package calls

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// wire is two nodes, a and b, that hear each other.
type wire struct {
	mu    sync.Mutex
	nodes map[string]*Calls
	lost  map[string]bool // messages to these nodes are
	said  map[string][][]byte
}

func newWire(handlers map[string]Handler) *wire {
	w := &wire{nodes: make(map[string]*Calls), lost: make(map[string]bool), said: make(map[string][][]byte)}
	for _, name := range []string{"a", "b"} {
		w.nodes[name] = New(Config{Self: name, Send: w.send, Handlers: handlers, Limit: 5 * time.Second})
	}
	return w
}

func (w *wire) send(node string, m []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said[node] = append(w.said[node], m)
	if !w.lost[node] {
		w.nodes[node].Receive(m)
	}
	return nil
}

func ask(w *wire, topic, question string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	answer, err := w.nodes["a"].Ask(ctx, "b", topic, []byte(question))
	return string(answer), err
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(map[string]Handler{
			"echo": func(_ context.Context, from string, q []byte) ([]byte, error) {
				return []byte(`"` + from + " " + strings.Trim(string(q), `"`) + `"`), nil
			},
			"fail": func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("no hands") },
			"slow": func(ctx context.Context, _ string, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
		})
		if got, err := ask(w, "echo", `"hello"`); err != nil || got != `"a hello"` {
			t.Errorf("%q, %v", got, err)
		}
		told := new(Told)
		if _, err := ask(w, "fail", `1`); !errors.As(err, &told) || told.Node != "b" || told.Words != "no hands" {
			t.Error(err)
		}
		if _, err := ask(w, "dance", `1`); !errors.As(err, &told) || !strings.Contains(told.Words, "dance") {
			t.Error(err)
		}
		begin := time.Now()
		if _, err := ask(w, "slow", `1`); !errors.As(err, &told) || time.Since(begin) != 5*time.Second {
			t.Error(err, time.Since(begin))
		}
		w.lost["b"] = true
		if _, err := ask(w, "echo", `1`); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestStuckWire: who asks does not wait longer for the wire than for the answer.
func TestStuckWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		c := New(Config{Self: "a", Send: func(string, []byte) error { <-stuck; return errors.New("no route") }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := c.Ask(ctx, "b", "echo", []byte(`1`)); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Error(err, time.Since(begin))
		}
	})
}

// TestSaidAgain: nothing that was recorded has a handler called again.
func TestSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		w := newWire(map[string]Handler{"kill": func(context.Context, string, []byte) ([]byte, error) { calls++; return []byte(`1`), nil }})
		if _, err := ask(w, "kill", `1`); err != nil {
			t.Fatal(err)
		}
		for _, m := range w.said["b"] {
			w.nodes["b"].Receive(m)
		}
		synctest.Wait()
		// Not even with a ticket that was given since: its question is not known.
		if calls != 1 {
			t.Errorf("answered %d times", calls)
		}
	})
}

// TestTickets: they are bounded in number and in time.
func TestTickets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire(map[string]Handler{"x": func(context.Context, string, []byte) ([]byte, error) { return []byte(`1`), nil }})
		for range 2 * maxTickets {
			w.nodes["b"].Receive([]byte("\x01" + `{"step":"hello","id":"1","from":"a"}`))
		}
		if n := len(w.nodes["b"].tickets); n != maxTickets {
			t.Errorf("%d tickets", n)
		}
		synctest.Wait()
		if _, err := ask(w, "x", `1`); err == nil {
			t.Error("there was one more")
		}
		time.Sleep(ticketLife + time.Second)
		if _, err := ask(w, "x", `1`); err != nil {
			t.Error(err)
		}
	})
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte("\x01" + `{"step":"ask","id":"1","from":"a","ticket":"x","topic":"x","body":{}}`))
	f.Add([]byte("\x01{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(Config{Self: "b", Send: func(string, []byte) error { return nil }})
		if c.Receive(b) != (len(b) > 0 && b[0] == mark) {
			t.Error("took a message that is not its own")
		}
	})
}
