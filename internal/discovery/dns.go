package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// parseSettings reads resolv.conf(5). What is not given has the C library's default.
func parseSettings(text io.Reader) (settings, error) {
	conf, err := dns.ClientConfigFromReader(text)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		search: conf.Search, ndots: conf.Ndots, attempts: min(conf.Attempts, maxAttempts),
		timeout: min(time.Duration(conf.Timeout)*time.Second, maxTimeout),
	}
	for _, server := range conf.Servers {
		if _, err := netip.ParseAddr(server); err == nil && len(s.servers) < maxServers {
			s.servers = append(s.servers, server)
		}
	}
	if len(s.servers) == 0 {
		s.servers = []string{"127.0.0.1"} // resolv.conf(5): the local machine
	}
	return s, nil
}

// client asks nameservers. It has no state.
type client struct {
	port string
}

// maxDatagram is what we can take, though without EDNS nobody sends more than 512
// bytes by UDP. That is how the C library asks: some home routers refuse EDNS.
const maxDatagram = 4096

// exchange asks by UDP, and by TCP when the answer did not fit.
func (c client) exchange(ctx context.Context, server string, timeout time.Duration, q question) (record, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	kind := [families]uint16{v4: dns.TypeA, v6: dns.TypeAAAA}[q.family]
	m := new(dns.Msg).SetQuestion(q.name, kind) // with a random ID, recursion desired
	at := net.JoinHostPort(server, c.port)
	reply, err := roundTrip(ctx, "udp", at, m)
	if reply != nil && reply.Id == m.Id && reply.Truncated { // then the rest may be cut off anywhere
		reply, err = roundTrip(ctx, "tcp", at, m)
	}
	if err != nil {
		return record{}, plain(err)
	}
	return read(reply, m.Question[0])
}

// roundTrip is one question on a socket of its own, so with a random port. The
// library heeds the deadline of ctx but not its end: that closes the socket.
func roundTrip(ctx context.Context, network, at string, m *dns.Msg) (*dns.Msg, error) {
	c := dns.Client{Net: network, UDPSize: maxDatagram, Timeout: maxTimeout}
	conn, err := c.DialContext(ctx, at)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	reply, _, err := c.ExchangeWithConnContext(ctx, m, conn)
	return reply, err
}

// plain takes from an error what differs each time, such as our port.
func plain(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed):
		return errors.New("no answer in time")
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// read takes the addresses out of a reply.
func read(reply *dns.Msg, q dns.Question) (record, error) {
	if !reply.Response || len(reply.Question) != 1 || reply.Question[0].Qtype != q.Qtype || !strings.EqualFold(reply.Question[0].Name, q.Name) {
		return record{}, errors.New("the answer is to another question")
	}
	switch reply.Rcode {
	case dns.RcodeSuccess:
	case dns.RcodeNameError:
		return record{}, errNoName
	default:
		return record{}, fmt.Errorf("it answers %s", dns.RcodeToString[reply.Rcode])
	}
	r := follow(reply.Answer, q.Name)
	if len(r.addrs) > 0 {
		return r, nil
	}
	if !reply.Authoritative && !reply.RecursionAvailable {
		return record{}, errors.New("it does not know, and does not ask others for us")
	}
	return record{}, errNoAddress
}

// follow walks from name along the CNAMEs to the addresses. Records of other names
// are nobody's question.
func follow(answers []dns.RR, name string) record {
	r := record{ttl: maxWait}
	for range len(answers) + 1 { // a chain is no longer than that
		next := ""
		for _, rr := range answers {
			if !strings.EqualFold(rr.Header().Name, name) {
				continue
			}
			ttl := time.Duration(rr.Header().Ttl) * time.Second
			switch rr := rr.(type) {
			case *dns.CNAME:
				next = rr.Target
			case *dns.A:
				r.addrs = appendIP(r.addrs, rr.A)
			case *dns.AAAA:
				r.addrs = appendIP(r.addrs, rr.AAAA)
			default:
				continue
			}
			r.ttl = min(r.ttl, ttl)
		}
		if next == "" || len(r.addrs) > 0 {
			break
		}
		name = next
	}
	return r
}

func appendIP(to []netip.Addr, ip net.IP) []netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok {
		return append(slices.Clip(to), a.Unmap())
	}
	return to
}
