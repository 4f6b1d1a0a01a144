package traffic

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestSummary(t *testing.T) {
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	lost := errors.New("lost")
	tr := New(Config{})
	tr.results = []Result{
		{at(0), at(2), "a", nil},
		{at(20), at(22), "b", nil},
		{at(80), at(82), "a", nil},
		{at(40), at(240), "", lost}, // ends last
		{at(60), at(90), "b", nil},
		{at(200), at(202), "a", nil}, // outside
	}
	s := tr.Summary(at(0), at(100))
	if s.Requests != 5 || s.Failed != 1 || s.By["a"] != 2 || s.By["b"] != 2 || s.Errors["lost"] != 1 {
		t.Errorf("%+v", s)
	}
	if s.Gap != 60*time.Millisecond || !s.GapEnd.Equal(at(82)) {
		t.Errorf("gap %v until %v, want 60 ms until 82 ms", s.Gap, s.GapEnd.Sub(begin))
	}
	if s := tr.Summary(at(300), at(400)); s.Requests != 0 || s.Gap != 100*time.Millisecond {
		t.Errorf("a time without requests: %+v", s)
	}
}

func TestRun(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "me\n")
	}))
	defer server.Close()
	var d net.Dialer
	tr := New(Config{URL: server.URL, Dial: d.DialContext, Every: time.Millisecond, Timeout: 10 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- tr.Run(ctx) }()
	if err := tr.WaitAnswers(t.Context(), 3, begin); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s := tr.Summary(begin, time.Now()); s.By["me"] < 3 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
	if err := tr.WaitAnswers(ctx, 1, time.Now()); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for an answer that never comes: %v", err)
	}
}
