package discovery

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// serve runs a nameserver on loopback, over UDP and TCP on one port, and returns the
// port.
func serve(t *testing.T, handle dns.HandlerFunc) string {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err != nil {
			tcp.Close()
			continue
		}
		for _, s := range []*dns.Server{{Listener: tcp, Handler: handle}, {PacketConn: udp, Handler: handle}} {
			started := make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			ended := make(chan error, 1)
			go func() { ended <- s.ActivateAndServe() }()
			<-started
			t.Cleanup(func() {
				if err := errors.Join(s.Shutdown(), <-ended); err != nil {
					t.Error(err)
				}
			})
		}
		_, port, _ := net.SplitHostPort(tcp.Addr().String())
		return port
	}
	t.Fatal("no port is free for both TCP and UDP")
	return ""
}

// reply answers with records in the text form of zone files.
func reply(t *testing.T, w dns.ResponseWriter, m *dns.Msg, change func(*dns.Msg), lines ...string) {
	t.Helper()
	r := new(dns.Msg).SetReply(m)
	r.RecursionAvailable = true
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Error(err)
			return
		}
		r.Answer = append(r.Answer, rr)
	}
	if change != nil {
		change(r)
	}
	_ = w.WriteMsg(r) // the test misses it
}

func ask(t *testing.T, port, name string, f family) (record, error) {
	t.Helper()
	return client{port}.exchange(t.Context(), "127.0.0.1", maxTimeout, question{name, f})
}

func TestExchange(t *testing.T) {
	port := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		if !m.RecursionDesired || m.Question[0].Qclass != dns.ClassINET {
			t.Errorf("asked %v", m)
		}
		if m.Question[0].Qtype == dns.TypeAAAA {
			reply(t, w, m, nil, "api.example. 60 IN AAAA 2001:db8::1")
			return
		}
		reply(t, w, m, nil,
			"host.example. 30 IN A 192.0.2.1", "API.example. 20 IN CNAME b.example.", "b.example. 40 IN CNAME host.example.",
			"other.example. 1 IN A 192.0.2.66", "api.example. 1 IN TXT nothing", "host.example. 35 IN A 192.0.2.2")
	})
	for f, want := range map[family]record{
		v4: {addrs("192.0.2.1", "192.0.2.2"), 20 * time.Second},
		v6: {addrs("2001:db8::1"), time.Minute},
	} {
		got, err := ask(t, port, "api.example.", f)
		if err != nil || got.ttl != want.ttl || !cmp.Equal(got.addrs, want.addrs, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestExchangeRefuses(t *testing.T) {
	port := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		answer := []string{m.Question[0].Name + " 60 IN A 192.0.2.1"}
		reply(t, w, m, map[string]func(*dns.Msg){
			"missing.": func(r *dns.Msg) { r.Rcode = dns.RcodeNameError },
			"empty.":   func(r *dns.Msg) { r.Answer = nil },
			"loop.": func(r *dns.Msg) {
				r.Answer = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: "loop.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "loop."}}
			},
			"failing.": func(r *dns.Msg) { r.Rcode = dns.RcodeServerFailure },
			"lame.":    func(r *dns.Msg) { r.Answer, r.RecursionAvailable = nil, false },
			"mixed.":   func(r *dns.Msg) { r.Question[0].Name = "another." },
			"family.":  func(r *dns.Msg) { r.Question[0].Qtype = dns.TypeAAAA },
			"query.":   func(r *dns.Msg) { r.Response = false },
		}[m.Question[0].Name], answer...)
	})
	for name, want := range map[string]string{
		"missing.": errNoName.Error(), "empty.": errNoAddress.Error(), "loop.": errNoAddress.Error(),
		"failing.": "it answers SERVFAIL", "lame.": "does not ask others",
		"mixed.": "another question", "family.": "another question", "query.": "another question",
	} {
		r, err := ask(t, port, name, v4)
		if err == nil || !strings.Contains(err.Error(), want) || len(r.addrs) > 0 {
			t.Errorf("%s: got %v, %v, want %q", name, r, err, want)
		}
	}
}

// What does not fit in a datagram comes by TCP, also when the cut-off datagram can't
// be read.
func TestTruncated(t *testing.T) {
	for name, cut := range map[string]func(dns.ResponseWriter, *dns.Msg){
		"empty": func(w dns.ResponseWriter, m *dns.Msg) { reply(t, w, m, func(r *dns.Msg) { r.Truncated = true }) },
		"in the middle": func(w dns.ResponseWriter, m *dns.Msg) {
			r := new(dns.Msg).SetReply(m)
			r.Truncated = true
			r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "a.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 9}, A: net.IPv4(192, 0, 2, 1)}}
			b, err := r.Pack()
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(b[:len(b)-3])
		},
	} {
		t.Run(name, func(t *testing.T) {
			var streams atomic.Int32
			port := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
				if w.RemoteAddr().Network() == "udp" {
					cut(w, m)
					return
				}
				streams.Add(1)
				reply(t, w, m, nil, "a. 60 IN A 192.0.2.1")
			})
			r, err := ask(t, port, "a.", v4)
			if err != nil || len(r.addrs) != 1 || streams.Load() != 1 {
				t.Errorf("got %v, %v with %d streams", r, err, streams.Load())
			}
		})
	}
}

// A nameserver that is silent or not there is a failure, in words that do not change
// from one time to the next.
func TestNoAnswer(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, _ := net.SplitHostPort(silent.LocalAddr().String())
	c := client{port}
	_, err = c.exchange(t.Context(), "127.0.0.1", 10*time.Millisecond, question{"a.", v4})
	if err == nil || err.Error() != "no answer in time" {
		t.Errorf("silent: %v", err)
	}
	_, err = c.exchange(t.Context(), "127.0.0.2", maxTimeout, question{"a.", v4})
	if err == nil || err.Error() != "read: connection refused" {
		t.Errorf("not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		defer cancel()
		for b := make([]byte, 512); !bytes.Contains(b, []byte("last")); { // those before may be waiting
			if _, _, err := silent.ReadFrom(b); err != nil {
				t.Error(err)
				return
			}
		}
	})
	if _, err = c.exchange(ctx, "127.0.0.1", time.Hour, question{"last.", v4}); err == nil {
		t.Error("it was answered")
	}
	watching.Wait()
}

func TestParseSettings(t *testing.T) {
	for text, want := range map[string]settings{
		"": {servers: []string{"127.0.0.1"}, ndots: 1, timeout: 5 * time.Second, attempts: 2},
		"# none\nnameserver fe80::1%eth0\nnameserver name.example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n" +
			"search a.example b.example\noptions ndots:5 timeout:90 attempts:90 rotate\n": {
			servers: []string{"fe80::1%eth0", "192.0.2.1", "192.0.2.2"}, search: []string{"a.example", "b.example"},
			ndots: 5, timeout: 5 * time.Second, attempts: 5,
		},
		"nameserver 192.0.2.1\noptions timeout:0 attempts:0 ndots:x": {servers: []string{"192.0.2.1"}, timeout: time.Second, attempts: 1},
	} {
		got, err := parseSettings(strings.NewReader(text))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{}), cmp.Transformer("list", func(s []string) string { return strings.Join(s, " ") })); diff != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

// The whole way over real sockets: a dead nameserver, a search domain and TCP.
func TestFirstOverSockets(t *testing.T) {
	port := serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		tcp := w.RemoteAddr().Network() == "tcp"
		if !strings.EqualFold(m.Question[0].Name, "a.x.example.") {
			reply(t, w, m, func(r *dns.Msg) { r.Rcode = dns.RcodeNameError })
			return
		}
		reply(t, w, m, func(r *dns.Msg) { r.Truncated = !tcp }, "a.x.example. 60 IN A 192.0.2.1")
	})
	s := settings{servers: []string{"127.0.0.2", "127.0.0.1"}, attempts: 1, timeout: maxTimeout} // nobody listens on the first
	r, err := first(t.Context(), s, question{"a.x.example.", v4}, client{port}.exchange)
	if err != nil || len(r.addrs) != 1 {
		t.Errorf("got %v, %v", r, err)
	}
	if _, err := first(t.Context(), s, question{"a.", v4}, client{port}.exchange); !errors.Is(err, errNoName) {
		t.Errorf("got %v", err)
	}
	s.servers = s.servers[:1]
	if _, err := first(t.Context(), s, question{"a.", v4}, client{port}.exchange); err == nil || err.Error() != "ask 127.0.0.2: read: connection refused" {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	m := new(dns.Msg).SetQuestion("a.", dns.TypeA)
	r := new(dns.Msg).SetReply(m)
	r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "a.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 9}, A: net.IPv4(192, 0, 2, 1)}}
	b, err := r.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		reply := new(dns.Msg)
		if reply.Unpack(b) != nil {
			return
		}
		rec, err := read(reply, m.Question[0])
		if (err == nil) != (len(rec.addrs) > 0) || err == nil && (rec.ttl < 0 || rec.ttl > maxWait) {
			t.Errorf("%v, %v", rec, err)
		}
	})
}
