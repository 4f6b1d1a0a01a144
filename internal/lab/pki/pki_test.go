package pki

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestIssue(t *testing.T) {
	ca, err := NewCA("lab")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(Names{CommonName: "server", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	defer s.Close()
	other, err := NewCA("other")
	if err != nil {
		t.Fatal(err)
	}
	for ca, ok := range map[*CA]bool{ca: true, other: false} {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
		resp, err := client.Get(s.URL)
		if (err == nil) != ok {
			t.Errorf("a client of CA %s: %v", ca.cert.Subject.CommonName, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}
