package page

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/history"
	"github.com/kshalb/kshalb/internal/status"
)

// TestPageIsWhole: it has one script and one style, which its policy names, and asks
// for nothing of anybody else.
func TestPageIsWhole(t *testing.T) {
	w := httptest.NewRecorder()
	Serve(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	text, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	for _, element := range []string{"script", "style"} {
		if n := strings.Count(text, "<"+element); n != 1 {
			t.Errorf("%d elements %s", n, element)
		}
	}
	if n := strings.Count(policy, "sha256-"); n != 2 {
		t.Errorf("policy %s", policy)
	}
	for _, at := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if regexp.MustCompile(`^(https?:|//|/)`).MatchString(at[1]) {
			t.Errorf("it refers to %s: a page behind a proxy, under another path, would not find that", at[1])
		}
	}
}

// event reads one of a stream.
func event(t *testing.T, in *bufio.Scanner) (name, data string) {
	t.Helper()
	for in.Scan() {
		switch line := in.Text(); {
		case line == "":
			return name, data
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		}
	}
	t.Fatal("the stream has ended: ", in.Err())
	return "", ""
}

func TestStream(t *testing.T) {
	begun := time.Now()
	l := &Live{
		Status: func() status.Node { return status.Node{Name: "m1"} },
		Points: func() map[string][]history.Point {
			old := history.Point{At: begun, Active: 1}
			if time.Since(begun) < every/2 {
				return map[string][]history.Point{"api": {old}}
			}
			return map[string][]history.Point{"api": {old, {At: begun.Add(history.Step), Active: 2}}}
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		with, cancel := context.WithCancel(r.Context())
		defer context.AfterFunc(ctx, cancel)()
		l.ServeHTTP(w, r.WithContext(with))
	}))
	srv.Start()
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("it is %s", got)
	}
	in := bufio.NewScanner(resp.Body)
	for _, want := range []struct {
		name   string
		active int64
	}{{"points", 1}, {"status", 0}, {"points", 2}, {"status", 0}, {"status", 0}} {
		name, data := event(t, in)
		var points map[string][]history.Point
		var node status.Node
		if want.name == "status" {
			err = json.Unmarshal([]byte(data), &node)
		} else {
			err = json.Unmarshal([]byte(data), &points)
		}
		if err != nil || name != want.name || want.name == "status" && node.Name != "m1" {
			t.Fatalf("%s %s: %v; want %s", name, data, err, want.name)
		}
		if want.active > 0 && (len(points["api"]) != 1 || points["api"][0].Active != want.active) {
			t.Errorf("%s, want the new point alone", data)
		}
	}
	stop()
	<-ended
}

func TestTooManyStreams(t *testing.T) {
	l := &Live{}
	l.streams.Store(maxStreams)
	w := httptest.NewRecorder()
	l.ServeHTTP(w, httptest.NewRequest(http.MethodGet, LivePath, http.NoBody))
	if w.Code != http.StatusServiceUnavailable || l.streams.Load() != maxStreams {
		t.Errorf("%d, %d streams", w.Code, l.streams.Load())
	}
}
