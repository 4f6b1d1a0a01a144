package page

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/kshalb/kshalb/internal/history"
	"github.com/kshalb/kshalb/internal/page"
	"github.com/kshalb/kshalb/internal/status"
)

// node is one with so many backends, every sixth of which is down, and with all
// kinds of trouble.
func node(backends int) status.Node {
	now := time.Now()
	n := status.Node{
		Name: "master1", Cluster: "kshalb", Version: "v0.1.0", Started: now.Add(-50 * time.Hour), Ready: true,
		VIPs: []status.VIP{{
			Name: "apiserver", Address: "192.168.0.10", Interface: "eth0", Holder: "master1", Term: 7, Assigned: true, State: "holding", LeaseRemaining: .4,
			Fence:    []status.Fence{{Layer: "deadline", Active: true}, {Layer: "kernel", Active: true}, {Layer: "lifetime", Active: true}},
			Conflict: &status.Conflict{MAC: "00:00:5e:00:01:33", Who: "VRRP, as of keepalived", Since: now, Last: now},
		}},
		Peers: []status.Peer{
			{Name: "master1", Address: "192.168.0.1", State: "self"}, {Name: "master2", Address: "192.168.0.2", State: "alive", Reason: "has other voters: make cluster.peers the same"},
			{Name: "master3", Address: "192.168.0.3", State: "dead"}, {Name: "node1", Address: "192.168.0.4", State: "alive", Witness: true},
		},
		Changes: []status.Change{
			{At: now, Level: "warn", What: "backend down", Details: "listener=apiserver backend=192.168.0.3:6443 from=suspect to=down reason=\"connection refused\""},
			{At: now.Add(-time.Minute), Level: "info", What: "VIP taken", Details: "vip=apiserver address=192.168.0.10 interface=eth0 term=7"},
			{At: now.Add(-time.Hour), Level: "error", What: "<b>not HTML</b>"},
		},
	}
	l := status.Listener{Name: "apiserver", Address: "192.168.0.10:6443", Active: 312}
	for i := range backends {
		b := status.Backend{
			Address: fmt.Sprintf("192.168.%d.%d:6443", i/250, i%250+1), State: "up", Since: now.Add(-time.Duration(i+1) * time.Hour),
			Weight: 1, Active: int64(100 + i), Connections: uint64(40213 * (i + 1)), BytesOut: 7e9, Probe: .0021,
		}
		if i%6 == 2 {
			b.State, b.Reason, b.Active = "down", "connection refused", 0
		}
		l.Backends = append(l.Backends, b)
	}
	n.Listeners = []status.Listener{l}
	return n
}

// show serves the page for a node.
func show(t *testing.T, n status.Node) (url string) {
	t.Helper()
	now := time.Now()
	var points []history.Point
	for i := range history.Points {
		wave := 1 + math.Sin(float64(i)/15)
		points = append(points, history.Point{
			At: now.Add(time.Duration(i-history.Points) * history.Step), Active: int64(200 + 60*wave), New: 20 * wave, In: 9e4 * wave, Out: 1.2e6 * wave, Probe: .002 * (2 + wave),
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page.Serve)
	mux.Handle("GET "+page.LivePath, &page.Live{
		Status: func() status.Node { return n },
		Points: func() map[string][]history.Point { return map[string][]history.Point{"apiserver": points} },
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv.URL
}

const rows = "document.querySelectorAll('#backends tbody tr').length"

// dim are texts whose contrast to what is behind them is too low for WCAG 2.2,
// 1.4.3 (AA).
const dim = `(() => {
  const rgb = c => c.match(/[\d.]+/g).map(Number);
  const lum = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
    const a = lum(rgb(getComputedStyle(e).color).slice(0, 3)), b = lum(behind(e).slice(0, 3));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.textContent.trim().slice(0, 40) + ' ' + ratio.toFixed(2));
  }
  return bad;
})()`

// TestLook: the page is legible with 2 backends and with 50, on a desk and on a
// phone, light and dark.
func TestLook(t *testing.T) {
	for _, backends := range []int{2, 50} {
		t.Run(fmt.Sprint(backends), func(t *testing.T) {
			b := open(t, show(t, node(backends)))
			b.until(fmt.Sprintf("%s === %d && document.querySelectorAll('svg polyline').length === 5", rows, backends), 10*time.Second)
			for _, width := range []int64{1280, 360} {
				b.do(chromedp.EmulateViewport(width, 800))
				for _, scheme := range []string{"light", "dark"} {
					b.scheme(scheme)
					if bad := eval[[]string](b, dim); len(bad) > 0 {
						t.Errorf("%d wide, %s: hard to read: %q", width, scheme, bad)
					}
				}
				if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%d wide: it is %d wide, and scrolls sideways", width, wide)
				}
			}
			if dark := eval[string](b, "getComputedStyle(document.body).backgroundColor"); dark != "rgb(13, 17, 23)" {
				t.Errorf("dark is %s", dark)
			}
			b.noTroubles()
		})
	}
}

// TestKeyboardAndScreenReader: whoever has no mouse gets everywhere, and who sees
// nothing is told the same.
func TestKeyboardAndScreenReader(t *testing.T) {
	b := open(t, show(t, node(50)))
	b.until(rows+" === 50", 10*time.Second)
	for eval[string](b, "document.activeElement.id") != "only" {
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	b.do(chromedp.KeyEvent(" "))
	b.until(rows+" === 8 && document.getElementById('shown').textContent === '8 of 50'", 5*time.Second)
	if got := eval[string](b, "document.querySelector('svg').getAttribute('role') + ' ' + document.querySelector('svg').getAttribute('aria-label')"); !strings.HasPrefix(got, "img Connections over the last quarter of an hour: now ") {
		t.Errorf("a chart says %q", got)
	}
	if got := eval[string](b, "[...document.querySelectorAll('h1,h2')].map(e => e.tagName + ' ' + e.innerText.trim()).join('; ')"); got !=
		"H1 kshalb master1; H2 Address; H2 Nodes; H2 Clients, the last quarter of an hour; H2 Backends; H2 Last changes" {
		t.Errorf("headings %s", got)
	}
	for what, js := range map[string]string{
		"marks say without colour what is wrong": "document.querySelector('#backends tbody').innerText.includes('✕ down')",
		"a state is live for screen readers":     "document.getElementById('live').getAttribute('role') === 'status'",
		"columns have headers":                   "document.querySelectorAll('th[scope=col]').length === 9",
		"texts are no HTML":                      "document.getElementById('changes').innerText.includes('<b>not HTML</b>')",
		"another claim is told":                  "document.getElementById('vips').innerText.includes('also claimed by 00:00:5e:00:01:33')",
		"a dead node is told":                    "document.getElementById('peers').innerText.includes('✕ dead, votes')",
	} {
		if !eval[bool](b, js) {
			t.Errorf("not so: %s", what)
		}
	}
	b.noTroubles()
}

// TestScreenshot makes the picture of the guide, where KSHALB_SCREENSHOT says.
func TestScreenshot(t *testing.T) {
	file := os.Getenv("KSHALB_SCREENSHOT")
	if file == "" {
		t.Skip("KSHALB_SCREENSHOT, the file to write, is not set")
	}
	n := node(3)
	n.VIPs[0].Conflict, n.Peers[1].Reason, n.Changes = nil, "", n.Changes[:2]
	b := open(t, show(t, n))
	b.until(rows+" === 3", 10*time.Second)
	b.do(chromedp.EmulateViewport(1100, 800))
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		t.Fatal(err)
	}
}
