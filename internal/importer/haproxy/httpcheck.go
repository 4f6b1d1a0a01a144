package haproxy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// request is what option httpchk and http-check send.
type request struct {
	line
	method, path, host string
	tls                bool
}

// http is option httpchk [METHOD] [URI [VERSION]], with what http-check says.
func (c *checker) http(l line) {
	req := request{line: l, method: "OPTIONS", path: "/"}
	switch words := l.from(2); len(words) {
	case 0:
	case 1:
		req.path = words[0]
	default:
		req.method, req.path = words[0], words[1]
		c.version(&req, strings.Join(words[2:], " "))
	}
	for _, key := range []string{"ssl", "check-ssl"} {
		if _, ok := c.any(key); ok {
			req.tls = true
		}
	}
	if c.be.one("check").word(1) == "ssl-hello-chk" { // see method
		req.tls = true
	}
	c.steps(&req)
	if c.elsewhere(plan.Lost) {
		c.out.Type = plan.Because(checkTCP, l.at, "the check asks another port than the servers'")
		return
	}
	c.ask(req)
}

// secretQuery is a query that may hold a password.
var secretQuery = regexp.MustCompile(`(?i)pass|pwd|token|secret|auth|key|cred`)

// ask puts a request into the check.
func (c *checker) ask(req request) {
	c.out.Type = plan.Because(checkHTTP, req.at, "option httpchk")
	if req.tls {
		c.out.Type = plan.Because(checkHTTPS, req.at, "option httpchk over TLS")
	} else if c.allAt(apiPort) {
		c.r.notes.add(plan.Fault, req.line, "option httpchk without check-ssl", plainWhy)
	}
	if req.method != "GET" {
		c.r.notes.add(plan.Changed, req.line, quote(req.method, "in a check"), "kshalb asks with GET")
	}
	if path, query, _ := strings.Cut(req.path, "?"); secretQuery.MatchString(query) {
		c.r.notes.add(plan.Lost, req.line, "the query of the check's path", "it may hold a password, which kshalb.yaml is no place for; a kube-apiserver answers /readyz without")
		req.path = path
	}
	if u, err := url.ParseRequestURI(req.path); err != nil || req.path[0] != '/' || u.Host != "" || strings.Contains(req.path, "#") {
		c.r.notes.add(plan.Fault, req.line, "the path of the check", "it is no path; write one like /readyz")
	} else {
		c.out.Path = plan.Of(req.path, req.at)
	}
	if path, _, _ := strings.Cut(req.path, "?"); path == "/healthz" || path == "/livez" {
		c.r.notes.add(plan.Changed, req.line, quote("GET", path), "the path is kept; /readyz is better for a kube-apiserver: it fails as soon as the server begins to stop, and /healthz is deprecated since Kubernetes 1.16")
	}
	if req.host != "" {
		c.out.Host = plan.Of(req.host, req.at)
	}
	if c.out.Expect.V == nil && !c.expects() {
		c.r.notes.add(plan.Changed, req.line, "any status from 200 to 399", "kshalb takes 200 alone, which is what kube-apiservers answer; write check.expect for others")
	}
}

func (c *checker) expects() bool {
	return slices.ContainsFunc(c.be.all("http-check"), func(l line) bool { return l.word(1) == "expect" })
}

// version is HTTP/1.0, with headers after it in the old way.
func (c *checker) version(req *request, text string) {
	for header := range strings.SplitSeq(strings.ReplaceAll(text, `\r\n`, "\r\n"), "\r\n") {
		name, value, found := strings.Cut(header, ":")
		if found {
			c.header(req, req.line, strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
}

// header keeps Host. Others may hold passwords: notes name them alone.
func (c *checker) header(req *request, l line, name, value string) {
	host, port, _ := strings.Cut(value, ":")
	if _, err := parsePort(port); strings.EqualFold(name, "host") && isHostName(host) && (port == "" || err == nil) {
		req.host = value
		return
	}
	if strings.ContainsAny(name, " \t") {
		name = ""
	}
	c.r.notes.add(plan.Lost, l, quote("header", name), "kshalb's probes have no headers but Host; a kube-apiserver answers /readyz without")
}

// steps are the lines of http-check.
func (c *checker) steps(req *request) {
	seen := map[string]bool{}
	for _, l := range c.be.all("http-check") {
		step := l.word(1)
		switch {
		case (step == "connect" || step == "send" || step == "expect") && seen[step]:
			c.r.notes.add(plan.Lost, l, quote("http-check", step), "kshalb's probes are one request and one answer; the first ones were taken")
		case step == "connect":
			c.connect(req, l)
		case step == "send":
			c.send(req, l)
		case step == "expect":
			c.expect(l)
		case step == "disable-on-404":
			c.r.notes.add(plan.Changed, l, "http-check disable-on-404", "kshalb drains a backend that answers with any status but those that it expects")
		default:
			c.r.notes.add(plan.Lost, l, quote("http-check", step), "kshalb's probes are one request and one answer")
		}
		seen[step] = true
	}
}

// connect is http-check connect. Without default it does not heed check-ssl.
func (c *checker) connect(req *request, l line) {
	words := l.from(2)
	req.tls = req.tls && slices.Contains(words, "default")
	for len(words) > 0 {
		key, args := words[0], 1
		switch key {
		case "ssl":
			req.tls, args = true, 0
		case "sni":
			c.serverName(l, after(words, key))
		case "default", "linger", "send-proxy", "via-socks4":
			args = 0
			if key != "default" {
				c.r.notes.add(plan.Needless, l, quote("http-check connect", key), probeWire.why)
			}
		case "comment":
		case "alpn", "proto":
			c.r.notes.add(plan.Changed, l, quote("http-check connect", key), probeTLS.why)
		default:
			c.r.notes.add(plan.Lost, l, quote("http-check connect", key), elseWhere)
		}
		words = words[min(1+args, len(words)):]
	}
}

// send is http-check send.
func (c *checker) send(req *request, l line) {
	words := l.from(2)
	for len(words) > 0 {
		key, args := words[0], 1
		value := after(words[:min(2, len(words))], key)
		switch key {
		case "meth":
			req.line, req.method = l, value
		case "uri":
			req.line, req.path = l, value
		case "ver", "comment":
		case "hdr":
			args = 2
			if len(words) > 2 {
				c.header(req, l, value, words[2])
			}
		case "body", "body-lf":
			c.r.notes.add(plan.Lost, l, "http-check send "+key, "kshalb's probes are a GET without a body")
		default: // a value that is not quoted as it should be, maybe
			c.r.notes.add(plan.Lost, l, "http-check send", "what it sends besides a path and Host is not known here; kshalb's probes have nothing else")
			return
		}
		words = words[min(1+args, len(words)):]
	}
}
