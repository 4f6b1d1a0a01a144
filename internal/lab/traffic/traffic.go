// Package traffic sends requests at a steady pace, each on a new TLS
// connection, and tells how they fared. It does not wait for one request before
// it sends the next, so that a dead time shows in full.
package traffic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says what to ask.
type Config struct {
	URL     string
	TLS     *tls.Config
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Every   time.Duration // between the starts of two requests; more than 0
	Timeout time.Duration // for one request, from dialling to the last byte; more than 0
}

// Result is one request.
type Result struct {
	Start, End time.Time
	By         string // the body of the answer, without spaces around it
	Err        error  // why there is no answer with status 200
}

// Traffic is requests that are under way or over. It is safe for concurrent use.
type Traffic struct {
	cfg    Config
	client *http.Client

	mu      sync.Mutex
	results []Result
	changed chan struct{}
}

// New makes traffic that begins with Run.
func New(c Config) *Traffic {
	return &Traffic{
		cfg: c, changed: make(chan struct{}),
		client: &http.Client{
			Timeout:   c.Timeout,
			Transport: &http.Transport{DialContext: c.Dial, TLSClientConfig: c.TLS, DisableKeepAlives: true},
		},
	}
}

// Run sends requests until ctx is done, and returns when the last one is over.
func (t *Traffic) Run(ctx context.Context) error {
	var requests sync.WaitGroup
	defer requests.Wait()
	tick := time.NewTicker(t.cfg.Every)
	defer tick.Stop()
	for {
		requests.Go(t.one)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *Traffic) one() {
	r := Result{Start: time.Now()}
	r.By, r.Err = t.get()
	r.End = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results = append(t.results, r)
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Traffic) get() (string, error) {
	resp, err := t.client.Get(t.cfg.URL)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %s", resp.Status, body)
	}
	return strings.TrimSpace(string(body)), err
}

// WaitAnswers waits until n requests that began after a moment were answered.
func (t *Traffic) WaitAnswers(ctx context.Context, n int, after time.Time) error {
	next := 0
	for {
		t.mu.Lock()
		for ; next < len(t.results); next++ {
			if r := t.results[next]; r.Err == nil && r.Start.After(after) {
				n--
			}
		}
		changed := t.changed
		t.mu.Unlock()
		if n <= 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for answered requests: %w", errors.Join(context.Cause(ctx), t.lastErr()))
		}
	}
}

func (t *Traffic) lastErr() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.results) == 0 {
		return nil
	}
	return t.results[len(t.results)-1].Err
}

// Summary is how the requests of some time fared.
type Summary struct {
	Requests int            // that began in this time and are over
	Failed   int            // of them
	By       map[string]int // answered ones, by who answered
	Gap      time.Duration  // the longest time in which no answer came, as far as it is within this time
	GapEnd   time.Time      // when the answer after the gap came, if any came
	Errors   map[string]int // what failed requests said
}

// Summary of the requests that began between two moments.
func (t *Traffic) Summary(from, to time.Time) Summary {
	s := Summary{By: make(map[string]int), Errors: make(map[string]int)}
	answers := []time.Time{from}
	for _, r := range t.sorted() {
		if r.Err == nil && r.End.After(from) && r.End.Before(to) {
			answers = append(answers, r.End)
		}
		if r.Start.Before(from) || r.Start.After(to) {
			continue
		}
		s.Requests++
		if r.Err != nil {
			s.Failed++
			s.Errors[r.Err.Error()]++
		} else {
			s.By[r.By]++
		}
	}
	for i, at := range append(answers, to)[1:] {
		if gap := at.Sub(answers[i]); gap > s.Gap {
			s.Gap, s.GapEnd = gap, at
		}
	}
	return s
}

// sorted returns the results by their ends.
func (t *Traffic) sorted() []Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	results := slices.Clone(t.results)
	slices.SortFunc(results, func(a, b Result) int { return a.End.Compare(b.End) })
	return results
}
