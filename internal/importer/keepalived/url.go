package keepalived

import (
	"net"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var urlRules = rules{}.
	with(plan.Lost, "digest", "kshalb looks at the status of an answer, not at what is in it").
	with(plan.Lost, "regex regex_no_match regex_options regex_stack regex_min_offset regex_max_offset", "kshalb looks at the status of an answer, not at what is in it").
	with(plan.Needless, "tls_compliant", "kshalb's TLS is of this day")

// url reads what HTTP_GET and SSL_GET ask for.
func (h *host) url(p *probe, b *node) {
	h.notes.braces(b)
	for _, n := range b.kids {
		switch n.key {
		case "path":
			h.path(p, n)
		case "status_code":
			h.statuses(p, n)
		case "virtualhost":
			p.host = h.vhostOf(n)
		default:
			h.notes.other(n, b.key, urlRules)
		}
	}
}

func (h *host) path(p *probe, n *node) {
	path := n.arg(0)
	u, err := url.ParseRequestURI(path)
	if err != nil || path[0] != '/' || u.Host != "" || strings.Contains(path, "#") || strings.Contains(path, hidden) || gap(path) || telltale.MatchString(path) {
		h.notes.bad(n.at, n.key, path, "a path such as /readyz")
		return
	}
	p.path = plan.Of(path, n.at)
	if path == "/healthz" || path == "/livez" {
		h.notes.add(plan.Changed, n.at, n.key+" "+path, "of an API server that stops, /readyz fails at once and "+path+" only when it is gone: write check.path: /readyz for API servers")
	}
}

// statuses reads numbers and ranges of them.
func (h *host) statuses(p *probe, n *node) {
	var all []int
	for _, word := range n.args {
		from, to, ranged := strings.Cut(word, "-")
		if !ranged {
			to = from
		}
		low, ok := number(from, 100, 999)
		high, ok2 := number(to, 100, 999)
		if !ok || !ok2 || high < low {
			h.notes.bad(n.at, n.key, word, "statuses such as 200 or 200-299")
			continue
		}
		for s := max(low, 200); s <= min(high, 599); s++ {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
		if low < 200 || high > 599 {
			h.notes.add(plan.Changed, n.at, n.key, "kshalb takes statuses from 200 to 599; the others were left out")
		}
	}
	if len(all) > 0 {
		p.expect = plan.Of(all, n.at)
	}
}

// hostForm is a name or an address with or without a port.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(:[0-9]{1,5})?$`)

// vhostOf reads virtualhost.
func (h *host) vhostOf(n *node) plan.Value[string] {
	if !hostForm.MatchString(n.arg(0)) || telltale.MatchString(n.arg(0)) {
		h.notes.bad(n.at, n.key, n.arg(0), "a host name")
		return plan.Value[string]{}
	}
	return plan.Of(n.arg(0), n.at)
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// verified says whom an https check believes.
func (h *host) verified(p *probe, c *plan.Check) {
	if h.tls.ca.Given() {
		c.CAFile = h.tls.ca
	}
	if h.tls.certificate.Given() && h.tls.key.Given() {
		c.CertFile, c.KeyFile = h.tls.certificate, h.tls.key
	}
	h.notes.add(plan.Changed, p.at, "SSL_GET", "keepalived believes every certificate; kshalb verifies them by check.caFile, which is"+
		" /etc/kubernetes/pki/ca.crt where there is one and nothing was written. Where that is not who signed them, name the right file")
}

// same tells checks that differ in nothing but where they stand.
func same(a, b plan.Check) bool { return reflect.DeepEqual(plain(a), plain(b)) }

// plain is what a check is without where it is from.
func plain(c plan.Check) []any {
	return []any{c.Type.V, c.Path.V, c.Expect.V, c.Host.V, c.ServerName.V, c.Interval.V, c.FastInterval.V, c.Timeout.V, c.Fall.V}
}
