package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

const namespace = "default"

// workload is what client-go does through the VIP: a writer and a lister that
// wait for each answer, and a watch, on one connection as long as it lasts. The
// watch is an informer's, which resumes as every controller's does.
type workload struct {
	client kubernetes.Interface

	mu      sync.Mutex
	acked   map[string]time.Time // ConfigMaps whose creation was acknowledged
	watched map[string]time.Time // ConfigMaps that the watch has shown
	events  map[string][]time.Time
	errs    map[string]error // the latest, by operation
	changed chan struct{}
}

// The operations that are measured.
const (
	write = "write"
	list  = "list"
	watch = "watch"
)

// patience is how long a request is waited for.
const patience = time.Second

func newWorkload(p *controlPlane) (*workload, error) {
	admin, err := p.CA.Issue(pki.Names{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}})
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: "https://" + netip.AddrPortFrom(p.VIP, cluster.Port).String(),
		TLSClientConfig: rest.TLSClientConfig{
			ServerName: cluster.Name, CAData: p.CA.PEM, CertData: admin.Cert, KeyData: admin.Key,
		},
		Dial: p.Client.DialContext,
		QPS:  -1,
	})
	return &workload{
		client: client, changed: make(chan struct{}),
		acked: make(map[string]time.Time), watched: make(map[string]time.Time),
		events: make(map[string][]time.Time), errs: make(map[string]error),
	}, err
}

// run works until ctx is done.
func (w *workload) run(ctx context.Context) {
	var tasks sync.WaitGroup
	tasks.Go(func() { w.watch(ctx) })
	tasks.Go(func() { w.every(ctx, 50*time.Millisecond, write, w.write) })
	tasks.Go(func() { w.every(ctx, 200*time.Millisecond, list, w.list) })
	tasks.Wait()
}

func (w *workload) every(ctx context.Context, pause time.Duration, what string, do func(context.Context, int) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		request, cancel := context.WithTimeout(ctx, patience)
		err := do(request, n)
		cancel()
		w.note(what, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *workload) write(ctx context.Context, n int) error {
	name := fmt.Sprintf("write-%d", n)
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"n": name}}
	if _, err := w.client.CoreV1().ConfigMaps(namespace).Create(ctx, m, metav1.CreateOptions{}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[name] = time.Now()
	return nil
}

func (w *workload) list(ctx context.Context, _ int) error {
	_, err := w.client.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{Limit: 10})
	return err
}

func (w *workload) watch(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(w.client, 0, informers.WithNamespace(namespace))
	defer factory.Shutdown()
	informer := factory.Core().V1().ConfigMaps().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(o any) {
		if m, ok := o.(*corev1.ConfigMap); ok {
			w.saw(m.Name)
		}
	}})
	w.note(watch, err)
	factory.Start(ctx.Done())
	<-ctx.Done()
}

func (w *workload) saw(name string) {
	w.mu.Lock()
	w.watched[name] = time.Now()
	w.mu.Unlock()
	w.note(watch, nil)
}

func (w *workload) note(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.errs[what] = err
	} else {
		w.events[what] = append(w.events[what], time.Now())
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait waits until look, called with mu held, has nothing to object.
func (w *workload) wait(ctx context.Context, look func() error) error {
	for {
		w.mu.Lock()
		err, changed := look(), w.changed
		w.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// works waits until each operation has succeeded ten times after a moment.
func (w *workload) works(ctx context.Context, after time.Time) error {
	return w.wait(ctx, func() error {
		for _, what := range []string{write, list, watch} {
			if events := w.events[what]; len(events) < 10 || events[len(events)-10].Before(after) {
				return fmt.Errorf("%s does not work; its latest error: %w", what, w.errs[what])
			}
		}
		return nil
	})
}

// gap is the longest time without a success of an operation after a moment.
func (w *workload) gap(what string, after time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var longest time.Duration
	last := after
	for _, at := range w.events[what] {
		if at.After(last) {
			longest = max(longest, at.Sub(last))
			last = at
		}
	}
	return longest
}

// complete waits until the watch has shown all that was acknowledged, and
// reads every acknowledged write back.
func (w *workload) complete(ctx context.Context, t *testing.T) {
	t.Helper()
	must(t, w.wait(ctx, func() error {
		for name, at := range w.acked {
			if _, ok := w.watched[name]; !ok && time.Since(at) > patience {
				return fmt.Errorf("the watch has not shown %s, acknowledged %v ago", name, time.Since(at))
			}
		}
		return nil
	}))
	w.mu.Lock()
	acked := len(w.acked)
	names := make(map[string]bool, acked)
	for name := range w.acked {
		names[name] = true
	}
	w.mu.Unlock()
	all, err := w.client.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	must(t, err)
	for _, m := range all.Items {
		if m.Data["n"] == m.Name {
			delete(names, m.Name)
		}
	}
	for name := range names {
		t.Errorf("%s was acknowledged and is lost", name)
	}
	t.Logf("%d acknowledged writes, all of them read back and shown by the watch", acked)
}
