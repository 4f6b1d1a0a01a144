package page

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is one tab of a headless Chromium.
type browser struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string // what its console said
}

func open(t *testing.T, url string) *browser {
	t.Helper()
	path := os.Getenv("KSHALB_CHROMIUM")
	if path == "" {
		t.Skip("KSHALB_CHROMIUM, the path of a Chromium, is not set: `make page` sets it")
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Fatal(err)
	}
	ctx, err := started(t, path)
	for range 2 { // on a busy host it cannot always fork, and gives up at once
		if err == nil {
			break
		}
		t.Log(err)
		ctx, err = started(t, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{T: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []cdp.Command[cdp.Empty, cdp.Empty]{runtime.Enable, log.Enable} {
		if _, err := chromedp.Call(ctx, enable, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
	}
	b.do(chromedp.Navigate(url))
	return b
}

// started is a browser that lives as long as the test.
func started(t *testing.T, path string) (context.Context, error) {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, // root has none
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1280, 900), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx, chromedp.Do(ctx) // starts it
}

// hear keeps what a person would find in the console in red.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, fmt.Sprintf("%+v", *e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, fmt.Sprintf("%s %v", e.Type, e.Args))
	case *log.EventEntryAdded:
		b.troubles = append(b.troubles, e.Entry.Text+" "+e.Entry.URL)
	}
}

// noTroubles fails the test when the console has said something.
func (b *browser) noTroubles() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.troubles {
		b.Errorf("the console says: %s", s)
	}
	b.troubles = nil
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// eval is the value of a JavaScript expression.
func eval[T any](b *browser, js string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// until waits until a JavaScript expression is true.
func (b *browser) until(js string, within time.Duration) {
	b.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[bool](js, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(within)))
	if err != nil {
		b.Fatalf("%v within %v: %s; the page has:\n%s", err, within, js, eval[string](b, "document.body.innerText"))
	}
}

// scheme has the page see a person who likes it light or dark.
func (b *browser) scheme(value string) {
	b.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		b.Fatal(err)
	}
}
