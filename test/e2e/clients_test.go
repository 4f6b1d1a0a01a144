package e2e

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"text/tabwriter"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

// giveUp is how long a client waits for an answer.
const giveUp = 20 * time.Second

// clients ask through the address: a new connection each 20 ms, some that are kept
// and asked each 100 ms, and some that watch. There are as many of the latter as make
// it likely that each API server has one.
type clients struct {
	p      *controlPlane
	url    string
	client tls.Certificate

	mu       sync.Mutex
	requests []request
	kept     [6][]time.Time // answers on each
	watched  [6][]time.Time // events on each
}

// request is one on a connection of its own.
type request struct {
	began, ended time.Time
	err          error
}

func (p *controlPlane) newClients() (*clients, error) {
	pair, err := p.CA.Issue(pki.Names{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}})
	if err != nil {
		return nil, err
	}
	cert, err := pair.TLS()
	return &clients{p: p, client: cert, url: "https://" + netip.AddrPortFrom(p.VIP, p.balancer.port()).String()}, err
}

// http returns a client with connections of its own.
func (c *clients) http(keep bool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: c.p.Client.DialContext, DisableKeepAlives: !keep, MaxConnsPerHost: 0,
		TLSClientConfig: &tls.Config{
			RootCAs: c.p.CA.Pool(), ServerName: cluster.Name, Certificates: []tls.Certificate{c.client}, MinVersion: tls.VersionTLS12,
		},
	}}
}

// start begins all; stop ends and awaits them, and may be called again.
func (c *clients) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	tasks.Go(func() { c.ask(ctx) })
	tasks.Go(func() { c.write(ctx) })
	for i := range c.kept {
		tasks.Go(func() { c.keepAsking(ctx, i) })
	}
	for i := range c.watched {
		tasks.Go(func() { c.keepWatching(ctx, i) })
	}
	return func() {
		cancel()
		tasks.Wait()
	}
}

// ask makes a connection each 20 ms.
func (c *clients) ask(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for range ticks(ctx, 20*time.Millisecond) {
		tasks.Go(func() {
			r := request{began: time.Now()}
			client := c.http(false)
			r.err = c.get(ctx, client, "/version")
			r.ended = time.Now()
			if ctx.Err() == nil || r.err == nil {
				c.note(func() { c.requests = append(c.requests, r) })
			} else {
				c.note(func() { c.requests = append(c.requests, request{began: r.began, ended: r.ended}) }) // it waited until the end
			}
		})
	}
}

func (c *clients) note(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

func (c *clients) get(ctx context.Context, client *http.Client, path string) error {
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	return get(ctx, client, c.url+path)
}

// keepAsking asks on one connection, and on a new one when that has failed.
func (c *clients) keepAsking(ctx context.Context, i int) {
	client := c.http(true)
	defer client.CloseIdleConnections()
	for range ticks(ctx, 100*time.Millisecond) {
		if c.get(ctx, client, "/version") != nil {
			client.CloseIdleConnections()
			continue
		}
		c.note(func() { c.kept[i] = append(c.kept[i], time.Now()) })
	}
}

// write makes an event each 50 ms, by way of all masters' own addresses, so that
// none of them is missed.
func (c *clients) write(ctx context.Context) {
	client := c.http(true)
	defer client.CloseIdleConnections()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	n := 0
	for range ticks(ctx, 50*time.Millisecond) {
		n++
		master := c.p.Masters[n%len(c.p.Masters)]
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"event-"}}`)
		tasks.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			url := fmt.Sprintf("https://%s/api/v1/namespaces/default/configmaps", netip.AddrPortFrom(master.Addr(), cluster.Port))
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
			if err != nil {
				return
			}
			req.Header.Set("Content-Type", "application/json")
			if resp, err := client.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}

// keepWatching watches, and begins anew when the watch ends.
func (c *clients) keepWatching(ctx context.Context, i int) {
	for ctx.Err() == nil {
		client := c.http(true)
		_ = c.watch(ctx, client, func() { c.watched[i] = append(c.watched[i], time.Now()) })
		client.CloseIdleConnections()
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (c *clients) watch(ctx context.Context, client *http.Client, event func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=0&labelSelector=!old", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		c.note(event)
	}
	return lines.Err()
}

// settled waits until all have done something.
func (c *clients) settled(ctx context.Context) error {
	for range ticks(ctx, 20*time.Millisecond) {
		ready := false
		c.note(func() {
			ready = len(c.requests) > 50
			for i := range c.kept {
				ready = ready && len(c.kept[i]) > 5 && len(c.watched[i]) > 5
			}
		})
		if ready {
			return nil
		}
	}
	return fmt.Errorf("wait for the clients to do something: %w", context.Cause(ctx))
}

// ticks gives the time at once and then at an interval until ctx ends.
func ticks(ctx context.Context, every time.Duration) func(func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for ctx.Err() == nil && yield(time.Now()) {
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
}

// outcome is what clients saw of one fault.
type outcome struct {
	requests, answers, events int

	failed     int           // new requests that began after the fault
	err        error         // of the first of them
	longest    time.Duration // that one of them took
	lastFailed time.Duration // after the fault, when the last of them began
	kept       time.Duration // the longest time without an answer on one of the kept connections
	watch      time.Duration // and without an event on one of the watches
}

func (c *clients) outcome(at time.Time) (o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.requests, func(a, b request) int { return a.began.Compare(b.began) })
	for _, r := range c.requests {
		if r.began.Before(at) {
			continue
		}
		o.requests++
		o.longest = max(o.longest, r.ended.Sub(r.began))
		if r.err != nil {
			o.failed++
			o.err = cmp.Or(o.err, r.err)
			o.lastFailed = r.began.Sub(at)
		}
	}
	end := time.Now()
	for i := range c.kept {
		o.kept = max(o.kept, gap(c.kept[i], at, end))
		o.answers += len(c.kept[i])
		o.watch = max(o.watch, gap(c.watched[i], at, end))
		o.events += len(c.watched[i])
	}
	return o
}

// gap is the longest time between two of times, of which the later one is after a
// moment; until the end, nothing may have come at all.
func gap(times []time.Time, after, end time.Time) (longest time.Duration) {
	last := after
	for _, t := range append(slices.Clone(times), end) {
		if t.After(after) {
			longest = max(longest, t.Sub(last))
		}
		last = t
	}
	return longest
}

func (o outcome) String() string {
	ms := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	text := fmt.Sprintf("%d of %d new requests failed (the last began %s after the fault), the longest took %s, kept connections silent for %s, watches for %s",
		o.failed, o.requests, ms(o.lastFailed), ms(o.longest), ms(o.kept), ms(o.watch))
	if o.err != nil {
		text += fmt.Sprintf("; first failure: %v", o.err)
	}
	return text
}

// outcomes are those of all trials.
type outcomes struct {
	order []string
	all   map[string][]outcome
}

func (s *outcomes) add(balancer, fault string, o outcome) {
	if s.all == nil {
		s.all = make(map[string][]outcome)
	}
	key := fault + "\t" + balancer
	if s.all[key] == nil {
		s.order = append(s.order, key)
	}
	s.all[key] = append(s.all[key], o)
}

// String is a table of min/median/max, in milliseconds where it is a time.
func (s *outcomes) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, "min/median/max; times in ms")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FAULT\tBALANCER\tTRIALS\tNEW FAILED\tLAST BEGAN AT\tLONGEST NEW\tKEPT SILENT\tWATCH SILENT")
	slices.Sort(s.order)
	for _, key := range s.order {
		all := s.all[key]
		column := func(of func(outcome) int64) string {
			var numbers []int64
			for _, o := range all {
				numbers = append(numbers, of(o))
			}
			slices.Sort(numbers)
			return fmt.Sprintf("%d/%d/%d", numbers[0], numbers[len(numbers)/2], numbers[len(numbers)-1])
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", key, len(all),
			column(func(o outcome) int64 { return int64(o.failed) }),
			column(func(o outcome) int64 { return o.lastFailed.Milliseconds() }),
			column(func(o outcome) int64 { return o.longest.Milliseconds() }),
			column(func(o outcome) int64 { return o.kept.Milliseconds() }),
			column(func(o outcome) int64 { return o.watch.Milliseconds() }))
	}
	t.Flush()
	return b.String()
}
