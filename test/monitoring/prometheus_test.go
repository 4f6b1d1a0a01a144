package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// prometheus is one on the client's host, with what deploy/monitoring has.
type prometheus struct {
	*testing.T
	client http.Client
	ctx    context.Context
}

// scrape starts a Prometheus that scrapes each second, so that a test ends soon.
func scrape(t *testing.T, c *cluster.Cluster) *prometheus {
	t.Helper()
	text := string(read(t, "prometheus.yaml"))
	rules, err := filepath.Abs(filepath.Join(folder, "alerts.yaml"))
	must(t, err)
	for old, now := range map[string]string{"[alerts.yaml]": "[" + rules + "]", "scrape_interval: 5s": "scrape_interval: 1s"} {
		if !strings.Contains(text, old) {
			t.Fatalf("prometheus.yaml has no %s", old)
		}
		text = strings.Replace(text, old, now, 1)
	}
	dir := c.Client.Dir()
	file := filepath.Join(dir, "prometheus.yaml")
	must(t, os.WriteFile(file, []byte("global: {evaluation_interval: 1s}\n"+text), 0o600))
	_, err = c.Client.Start(lab.Spec{Path: program(t, "prometheus"), Args: []string{
		"--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "tsdb"), "--web.listen-address", "127.0.0.1:9090",
	}})
	must(t, err)
	return &prometheus{t, http.Client{Transport: &http.Transport{DialContext: c.Client.DialContext}}, labtest.Context(t, 40*time.Second)}
}

// ask is the answer of an API path of Prometheus, decoded into data.
func (p *prometheus) ask(path string, query url.Values, data any) error {
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, "http://127.0.0.1:9090/api/v1/"+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Data  json.RawMessage
		Error string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

// series are the labels of what a query gives.
func (p *prometheus) series(query string) ([]map[string]string, error) {
	var got struct {
		Result []struct{ Metric map[string]string }
	}
	err := p.ask("query", url.Values{"query": {query}}, &got)
	var all []map[string]string
	for _, r := range got.Result {
		all = append(all, r.Metric)
	}
	return all, err
}

// wait asks again and again until check is content.
func (p *prometheus) wait(check func() error) {
	p.Helper()
	for again := time.NewTicker(200 * time.Millisecond); ; {
		err := check()
		if err == nil {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-p.ctx.Done():
			p.Fatal(err)
		}
	}
}

// waitFor waits until a query gives so many series.
func (p *prometheus) waitFor(query string, n int) {
	p.Helper()
	p.wait(func() error {
		got, err := p.series(query)
		if err == nil && len(got) != n {
			err = fmt.Errorf("%s: %v, want %d", query, got, n)
		}
		return err
	})
}

// firing are the alerts that fire, by name.
func (p *prometheus) firing() (map[string]bool, error) {
	got, err := p.series(`ALERTS{alertstate="firing"}`)
	all := make(map[string]bool)
	for _, labels := range got {
		all[labels["alertname"]] = true
	}
	return all, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
