package kube

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// Arg is one argument of kube-apiserver.
type Arg struct {
	Name  string // without dashes in front
	Value yamlnode.Node
	Text  string // the value
	At    plan.Source
}

// Args reads arguments in any of the forms they come in: a mapping, a list of
// {name: N, value: V}, and a list of texts NAME=VALUE with or without dashes.
func Args(n yamlnode.Node) []Arg {
	var args []Arg
	for _, p := range n.Pairs() {
		args = append(args, Arg{Name: p.Key, Value: p.Value, Text: p.Value.Text(), At: p.At})
	}
	for _, item := range n.Items() {
		switch {
		case item.IsText():
			name, value, _ := strings.Cut(item.Text(), "=")
			args = append(args, Arg{Name: strings.TrimLeft(name, "-"), Value: item, Text: value, At: item.At()})
		case item.Get("name").Given():
			v := item.Get("value")
			args = append(args, Arg{Name: item.Get("name").Text(), Value: v, Text: v.Text(), At: item.At()})
		}
	}
	return args
}

// Carry notes those arguments of all API servers that matter to a balancer in
// front of them, and gives what follows from them to the listeners. The others
// are needless, in one note. what is the key that they stand under.
func Carry(p *plan.Plan, args []Arg, what string) {
	var rest []string
	var restAt plan.Source
	for _, a := range args {
		if !carry(p, a, what+" "+a.Name) {
			if rest == nil {
				restAt = a.At
			}
			rest = append(rest, a.Name)
		}
	}
	if rest != nil {
		p.Note(plan.Needless, restAt, what+": "+yamlnode.Words(rest), "the API server's own; what is in front of it has no part in it")
	}
}

// carry reports whether it had anything to say of an argument.
func carry(p *plan.Plan, a Arg, what string) bool {
	switch a.Name {
	case "secure-port":
		securePort(p, a, what)
	case "anonymous-auth":
		anonymous(p, a, what)
	case "bind-address":
		bindAddress(p, a, what)
	case "permit-port-sharing":
		p.Note(plan.Needless, a.At, what, "kshalb finds out by itself whether the API server shares its port (portConflict: auto), and redirects where it does not")
	case "shutdown-delay-duration":
		p.Note(plan.Needless, a.At, what, "keep it: it lets kshalb's check of /readyz see that an API server stops before it refuses connections; a second or two are enough for the default check")
	case "goaway-chance":
		p.Note(plan.Needless, a.At, what, "keep it: it makes clients connect anew now and then, which evens out the masters; kshalb's rebalance does so for idle connections only")
	default:
		return false
	}
	return true
}

func securePort(p *plan.Plan, a Arg, what string) {
	port, ok := port(a.Text)
	if !ok {
		p.Note(plan.Fault, a.At, what, "is no port from 1 to 65535; the default was taken")
		return
	}
	for i := range p.Listeners {
		p.Listeners[i].PeersPort = plan.Because(port, a.At, "secure-port of the API servers")
	}
}

func port(text string) (int, bool) {
	port := 0
	for _, r := range text {
		if r < '0' || r > '9' || port > 65535 {
			return 0, false
		}
		port = port*10 + int(r-'0')
	}
	return port, port >= 1 && port <= 65535
}

// anonymous: without anonymous requests /readyz answers 401 to kshalb, which has
// no credentials, whether the API server is ready or not.
func anonymous(p *plan.Plan, a Arg, what string) {
	if strings.EqualFold(a.Text, "true") || a.Text == "" {
		p.Note(plan.Needless, a.At, what, "as kshalb's check of /readyz needs it, which has no credentials")
		return
	}
	for i := range p.Listeners {
		p.Listeners[i].Check.Expect = plan.Because([]int{200, 401}, a.At, "anonymous-auth is off")
	}
	p.Note(plan.Changed, a.At, what, "/readyz answers 401 to everybody without credentials, so the check takes that for an answer too and does not see an API server that is not ready; "+
		"give the check a client certificate (check.certFile, keyFile) and take 401 out of expect, or allow anonymous requests to /readyz alone")
}

func bindAddress(p *plan.Plan, a Arg, what string) {
	addr, ok := yamlnode.Addr(a.Text)
	switch {
	case !ok:
		p.Note(plan.Fault, a.At, what, "is no IP address; nothing follows from it here")
	case addr.IsUnspecified():
		p.Note(plan.Needless, a.At, what, "the default; kshalb's redirect gets along with it")
	case addr.IsLoopback():
		p.Note(plan.Fault, a.At, what, "API servers that listen on the loopback alone are out of reach for the kshalb of other masters; let them listen on their node's address or on all")
	default:
		p.Note(plan.Changed, a.At, what, "kshalb connects to the address of each peer; that has to be the one that its API server listens on")
	}
}
