package haproxy

import (
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The types of checks of kshalb.yaml.
const (
	checkHTTPS = "https"
	checkHTTP  = "http"
	checkTCP   = "tcp"
)

// apiPort is where kube-apiservers listen.
const apiPort = 6443

const (
	sickWhy   = "a port that accepts connections may belong to a kube-apiserver that is not ready; if these are kube-apiservers, write check: {type: https, path: /readyz}"
	plainWhy  = "the check asks in plain HTTP, and port 6443 is where kube-apiservers talk TLS: if that is so, each check fails, there and here; write check.type: https"
	verifyWhy = "kshalb believes the cluster's CA where /etc/kubernetes/pki/ca.crt is there, which suits kube-apiservers; without that file it verifies nothing, too"
	helloWhy  = "kshalb's probes do not look at a TLS handshake alone"
	elseWhere = "kshalb probes a backend at its own address and port; if these are kube-apiservers, write check: {type: https, path: /readyz}"
)

// checker makes the check of a listener.
type checker struct {
	r       *reader
	be      *proxy
	servers []*server
	out     plan.Check
}

// any is the first server that has a parameter.
func (c *checker) any(param string) (given, bool) {
	for _, s := range c.servers {
		if g, ok := s.with[param]; ok {
			return g, true
		}
	}
	return given{}, false
}

// method is the option that says how a backend is checked. ssl-hello-chk after
// httpchk takes its place in HAProxy, which nobody means who writes both in front of
// kube-apiservers.
func (c *checker) method() (line, string) {
	l, before := c.be.one("check"), c.be.one("check before")
	if l.word(1) == "ssl-hello-chk" && before.word(1) == "httpchk" && c.allAt(apiPort) {
		c.r.notes.add(plan.Changed, l, "option ssl-hello-chk", "in HAProxy it takes the place of option httpchk, whose path is never asked for; kshalb asks for it, over TLS")
		return before, "httpchk"
	}
	if before.words != nil {
		c.r.notes.add(plan.Needless, before, quote("option", before.word(1)), "a later option takes its place in HAProxy, too")
	}
	return l, l.word(1)
}

// check is the check of a backend's servers.
func (r *reader) check(be *proxy, servers []*server) plan.Check {
	c := checker{r: r, be: be, servers: servers}
	checked, any := c.any("check")
	if !any {
		c.out.Type = plan.Because(checkTCP, servers[0].at, "its servers have no check; kshalb always probes")
		c.r.notes.add(plan.Changed, servers[0].line, "servers without check", "kshalb always probes, here whether the port accepts connections")
		c.unchecked()
		return c.out
	}
	for _, s := range servers {
		if !s.has("check") {
			r.notes.add(plan.Changed, s.line, quote("server", s.name, "without check"), "kshalb probes all backends of a listener alike")
		}
	}
	l, method := c.method()
	switch method {
	case "httpchk":
		c.http(l)
	case "", "tcp-check", "ssl-hello-chk":
		c.tcp(l, checked)
	default:
		c.out.Type = plan.Because(checkTCP, l.at, "kshalb has no check like option "+method)
		r.notes.add(plan.Lost, l, "option "+method, "kshalb's probes connect, or ask for a status over HTTP or HTTPS; it connects")
	}
	if method != "httpchk" {
		c.unread("http-check", "HAProxy ignores it without option httpchk")
	}
	if method != "tcp-check" {
		c.unread("tcp-check", "HAProxy ignores it without option tcp-check")
	}
	c.paces()
	c.tls()
	return c.fit()
}

// fit leaves out what the type of the check has no use for.
func (c *checker) fit() plan.Check {
	out := c.out
	if out.Type.V == checkTCP {
		out.Path, out.Host, out.Expect = plan.Value[string]{}, plan.Value[string]{}, plan.Value[[]int]{}
	}
	if out.Type.V != checkHTTPS {
		out.ServerName = plan.Value[string]{}
	}
	return out
}

// unchecked tells what is there for checks although there are none.
func (c *checker) unchecked() {
	const why = "nothing is checked in HAProxy"
	c.unread("http-check", why)
	c.unread("tcp-check", why)
	for _, key := range []string{"check", "check before", "timeout check"} {
		if l := c.be.one(key); l.words != nil {
			c.r.notes.add(plan.Needless, l, quote(l.words[:min(2, len(l.words))]...), why)
		}
	}
	for _, key := range []string{
		"inter", "fastinter", "downinter", "rise", "fall", "port", "addr", "check-ssl", "check-sni", "verify", "verifyhost", "sni", "ca-file", "crt", "observe",
	} {
		if g, ok := c.any(key); ok {
			c.r.notes.add(plan.Needless, g.line, key, why)
		}
	}
}

// unread tells rules of a kind of check that is not in force.
func (c *checker) unread(key, why string) {
	for _, l := range c.be.all(key) {
		c.r.notes.add(plan.Needless, l, quote(key, l.word(1)), why)
	}
}

// tcp is a check that connects, and maybe more.
func (c *checker) tcp(l line, checked given) {
	from := checked.line
	if l.words != nil {
		from = l
	}
	c.out.Type = plan.Because(checkTCP, from.at, "it only connects")
	if l.word(1) == "ssl-hello-chk" {
		c.r.notes.add(plan.Changed, l, "option ssl-hello-chk", helloWhy+"; if these are kube-apiservers, write check: {type: https, path: /readyz}")
	}
	if g, ok := c.any("check-ssl"); ok {
		c.r.notes.add(plan.Changed, g.line, "check-ssl", helloWhy+"; if these are kube-apiservers, write check: {type: https, path: /readyz}")
	}
	if l.word(1) == "tcp-check" {
		for _, step := range c.be.all("tcp-check") {
			if !slices.Equal(step.words, []string{"tcp-check", "connect"}) {
				c.r.notes.add(plan.Lost, step, quote("tcp-check", step.word(1)), "kshalb's tcp check connects and sends nothing")
			}
		}
	}
	_, handshake := c.any("check-ssl")
	if !c.elsewhere(plan.Lost) && c.allAt(apiPort) && !handshake && l.word(1) != "ssl-hello-chk" {
		what := "check"
		if l.words != nil {
			what = quote(l.words...)
		}
		c.r.notes.add(plan.Changed, from, what, sickWhy)
	}
}

// allAt reports whether all servers have one port.
func (c *checker) allAt(port int) bool {
	return !slices.ContainsFunc(c.servers, func(s *server) bool { return s.place.relative || s.place.low != port })
}

// elsewhere tells checks of another address or port than the server's.
func (c *checker) elsewhere(level plan.Level) bool {
	found := false
	for _, s := range c.servers {
		for _, key := range []string{"port", "addr"} {
			g, ok := s.with[key]
			if n, err := parseCount(g.value); ok && (key == "addr" && g.value != s.place.host || key == "port" && (err != nil || s.place.relative || n != s.place.low)) {
				found = true
				c.r.notes.add(level, g.line, quote(key, g.value), elseWhere)
			}
		}
	}
	return found
}
