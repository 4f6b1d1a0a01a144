package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"

	"github.com/kshalb/kshalb/internal/status"
)

func TestRemembersWhatTheLogLeavesOut(t *testing.T) {
	j := New()
	var text bytes.Buffer
	log := slog.New(j.Handler(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Debug("nobody needs to know")
	log.Info("backend up", "backend", "192.168.0.1:6443", "reason", "probe succeeded")
	log.With("vip", "apiserver").WithGroup("lease").Error("lost", "err", errors.New(`no "majority"`), "empty", "")
	got, n := j.Last(5)
	if n != 2 || len(got) != 2 {
		t.Fatalf("%d, %v", n, got)
	}
	for i, want := range []status.Change{
		{Level: "error", What: "lost", Details: `vip=apiserver lease.err="no \"majority\"" lease.empty=""`},
		{Level: "info", What: "backend up", Details: `backend=192.168.0.1:6443 reason="probe succeeded"`},
	} {
		if got[i].At.IsZero() {
			t.Error("no time")
		}
		got[i].At = want.At
		if got[i] != want {
			t.Errorf("got %+v, want %+v", got[i], want)
		}
	}
	if n := strings.Count(text.String(), "\n"); n != 1 || !strings.Contains(text.String(), "lost") {
		t.Errorf("the log has:\n%s", &text)
	}
}

func TestForgetsTheOldest(t *testing.T) {
	j := New()
	log := slog.New(j.Handler(slog.DiscardHandler))
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range size {
				log.Info("before")
			}
		})
	}
	writers.Wait()
	for i := range size + 3 {
		log.Info(fmt.Sprint(i))
	}
	got, n := j.Last(2 * size)
	if len(got) != size || n != 5*size+3 || got[0].What != fmt.Sprint(size+2) || got[size-1].What != "3" {
		t.Errorf("%d of %d, from %s to %s", len(got), n, got[size-1].What, got[0].What)
	}
	if got, _ := j.Last(1); len(got) != 1 || got[0].What != fmt.Sprint(size+2) {
		t.Error(got)
	}
}

// TestHandler: what is passed on is what slog wants of a handler.
func TestHandler(t *testing.T) {
	var text bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		text.Reset()
		return New().Handler(slog.NewJSONHandler(&text, nil))
	}, func(t *testing.T) map[string]any {
		var m map[string]any
		if err := json.Unmarshal(text.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}
