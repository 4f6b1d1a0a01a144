package doctor

import (
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

func TestJudgeBackends(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	at := netip.MustParseAddrPort("192.168.0.2:6443")
	const name = "lb.kubesphere.local"
	base := func(v *View) {
		v.Taken = now
		v.Names = &Names{Names: []Name{{Name: name, Addresses: []netip.Addr{vip}}, {Name: "other", Addresses: []netip.Addr{at.Addr()}}}}
		v.Backends = []Backend{{Listener: "api", Address: at, Way: Reached, Certificate: &Certificate{
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(300 * 24 * time.Hour),
			Names: []string{name, "kubernetes"}, Addresses: []netip.Addr{vip, at.Addr()},
		}}}
	}
	all := func(change func(b *Backend)) func(v *View) {
		return func(v *View) { base(v); change(&v.Backends[0]) }
	}
	m3 := func(change func(b *Backend)) func(v *View) {
		return on("m3", base, func(v *View) { change(&v.Backends[0]) })
	}
	way := func(way string) func(b *Backend) {
		return func(b *Backend) { b.Way, b.Certificate, b.Error = way, nil, "x" }
	}
	for name, tt := range map[string]struct {
		change func(v *View)
		want   []string
	}{
		"healthy":          {base, nil},
		"not there yet":    {all(way(Refused)), []string{"warning m1: nothing listens there", "warning m2: nothing listens there", "warning m3: nothing listens there"}},
		"refused to one":   {m3(way(Refused)), []string{"fault m3: refuses connections from here, and not from other nodes"}},
		"dropped for one":  {m3(way(Silent)), []string{"fault m3: packets are dropped on the way"}},
		"no route for one": {m3(way(Failed)), []string{"fault m3: cannot be reached: x"}},
		"no TLS for one":   {m3(func(b *Backend) { b.Certificate, b.Error = nil, "TLS handshake: EOF" }), []string{"fault m3: does not make a TLS handshake: TLS handshake: EOF"}},
		"not for the VIP":  {all(func(b *Backend) { b.Certificate.Addresses = nil }), []string{"fault m2: is not for 192.168.0.10"}},
		"not for the name": {all(func(b *Backend) { b.Certificate.Names = []string{"kubernetes"} }), []string{"fault m2: is not for lb.kubesphere.local"}},
		"for all names":    {all(func(b *Backend) { b.Certificate.Names = []string{"*.kubesphere.local"} }), nil},
		"ended":            {all(func(b *Backend) { b.Certificate.NotAfter = now.Add(-time.Minute) }), []string{"fault m2: has ended on 2026-05-01"}},
		"ends soon":        {all(func(b *Backend) { b.Certificate.NotAfter = now.Add(75 * time.Hour) }), []string{"warning m2: ends on 2026-05-04, in 3 days"}},
		"not begun":        {all(func(b *Backend) { b.Certificate.NotBefore = now.Add(time.Minute) }), []string{"fault m2: begins only at 2026-05-01 12:01:00"}},
		"of another CA":    {all(func(b *Backend) { b.Certificate.Foreign = "unknown authority" }), []string{"fault m2: is not of the CA that is believed: unknown authority"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, judgeBackends(caseOf(configOf(t), tt.change)), tt.want...) })
	}
	plain := configOf(t, "port: 6443}}", "port: 6443}, check: {type: https, path: /}}")
	expect(t, judgeBackends(caseOf(plain, all(func(b *Backend) { b.Certificate.Addresses = nil }))))
}

// TestLookBackends: a server's certificate is seen as it is, and whether the
// cluster's CA has issued it.
func TestLookBackends(t *testing.T) {
	ca, err := pki.NewCA("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(pki.Names{CommonName: "m1", DNS: []string{"a.example"}, IPs: []netip.Addr{vip}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				_ = c.(*tls.Conn).Handshake()
			}(c)
		}
	}()
	cfg := configOf(t)
	cfg.Listeners[0].Backends = []config.Backend{{Address: netip.MustParseAddrPort(ln.Addr().String())}, {Address: netip.MustParseAddrPort("127.0.0.1:1")}}
	other, err := pki.NewCA("another")
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string]string{"": {config.ClusterCA: string(ca.PEM)}, "no CA": {}, "another": {config.ClusterCA: string(other.PEM)}} {
		var v View
		if err := lookBackends(t.Context(), looker(t, cfg, files), &v); err != nil {
			t.Fatal(err)
		}
		got := v.Backends[0]
		if got.Way != Reached || got.Certificate == nil || (got.Certificate.Foreign != "") != (name == "another") || len(got.Certificate.lacks([]netip.Addr{vip}, []string{"a.example"})) > 0 {
			t.Errorf("%s: %+v %+v", name, got, got.Certificate)
		}
		if v.Backends[1].Way != Refused {
			t.Errorf("nobody is there: %+v", v.Backends[1])
		}
	}
}
