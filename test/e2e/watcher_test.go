package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// clock is the ConfigMap that is written and watched.
const clock = "clock"

// watch is what a controller does that has nothing to do: only its watch is on
// its connection.
func (c *clients) watch(ctx context.Context) error {
	transport, err := c.transport()
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "https://" + c.to.String(), Transport: transport})
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", clock).String()
		}))
	defer factory.Shutdown()
	saw := func() { c.note(func() { c.events = append(c.events, time.Now()) }) }
	_, err = factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { saw() }, UpdateFunc: func(any, any) { saw() },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	return nil
}

// transport is what client-go uses, with its patience, but that its first
// connection is to the victim's API server.
func (c *clients) transport() (*http.Transport, error) {
	var later atomic.Bool
	protocols := []string{"h2", "http/1.1"}
	t := &http.Transport{
		Proxy:             func(*http.Request) (*url.URL, error) { return nil, nil },
		ForceAttemptHTTP2: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if later.Swap(true) {
				return c.dial(ctx, protocols...)
			}
			return c.dialTo(ctx, c.victim.Name(), protocols...)
		},
	}
	return utilnet.SetTransportDefaults(t), nil
}

// write changes the ConfigMap each 50 ms, past the balancer, and not by way of
// the victim's API server while another answers.
func (c *clients) write(ctx context.Context) error {
	masters := slices.DeleteFunc(slices.Clone(c.p.Masters), func(m *cluster.Master) bool { return m == c.victim })
	masters = append(masters, c.victim)
	var writers []kubernetes.Interface
	for _, m := range masters {
		w, err := c.direct(m)
		if err != nil {
			return err
		}
		writers = append(writers, w)
	}
	empty := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: clock}}
	if _, err := writers[0].CoreV1().ConfigMaps(namespace).Create(ctx, empty, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create the watched ConfigMap: %w", err)
	}
	n := 0
	for range ticks(ctx, 50*time.Millisecond) {
		patch := fmt.Appendf(nil, `{"data":{"at":"%d"}}`, time.Now().UnixNano())
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err := writers[n%len(writers)].CoreV1().ConfigMaps(namespace).Patch(attempt, clock, types.MergePatchType, patch, metav1.PatchOptions{})
		cancel()
		if err != nil {
			n++
		}
	}
	return nil
}

// direct is a client of one master's API server.
func (c *clients) direct(m *cluster.Master) (kubernetes.Interface, error) {
	to := netip.AddrPortFrom(m.Addr(), cluster.Port).String()
	return kubernetes.NewForConfig(&rest.Config{Host: "https://" + to, QPS: -1, Transport: &http.Transport{
		DialContext: c.p.Client.DialContext, TLSClientConfig: c.tls.Clone(),
	}})
}
