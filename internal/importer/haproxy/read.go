package haproxy

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var errNothing = errors.New("it has no section of HAProxy: global, defaults, frontend, backend or listen")

// reader makes a plan of sections.
type reader struct {
	notes    *notebook
	plan     plan.Plan
	globals  map[string]line
	defaults map[string]*proxy
	latest   *proxy   // the last defaults
	bases    []*proxy // all defaults
	proxies  []*proxy
	names    map[string]bool         // of listeners
	sockets  map[netip.AddrPort]bool // of listeners
	monitors []*proxy
	http     []string
	asked    int // words of conditions
}

// Read makes a plan of configurations of HAProxy. Several files are one
// configuration, in their order, as with several -f of HAProxy's; variables are
// those of in.Getenv and what the files set. Nothing is taken of files above 1 MiB.
// An error is a [*plan.Error]; whatever else is wrong is a note of the plan. Read
// may be called by several goroutines at once.
func Read(in plan.Input) (plan.Plan, error) {
	notes := &notebook{}
	s := &scanner{getenv: in.Getenv, set: map[string]variable{}, notes: notes}
	for _, f := range in.Files {
		if err := s.file(f); err != nil {
			return plan.Plan{}, err
		}
	}
	if len(s.sections) == 0 {
		at := plan.Source{}
		if len(in.Files) > 0 {
			at.File = in.Files[0].Name
		}
		return plan.Plan{}, &plan.Error{At: at, Err: errNothing}
	}
	r := &reader{notes: notes, globals: map[string]line{}, defaults: map[string]*proxy{}, names: map[string]bool{}, sockets: map[netip.AddrPort]bool{}}
	for _, section := range s.sections {
		r.section(section)
	}
	r.join()
	r.plan.Notes = notes.notes()
	r.plan.Steps = r.steps()
	return r.plan, nil
}

func (r *reader) section(s *section) {
	why, other := otherSections[s.kind]
	if len(s.extra) > 0 && isProxy(s.kind) && s.kind != kindListen && !strings.HasPrefix(s.extra[0], "#") {
		r.notes.add(plan.Fault, s.line, s.title(), "more stands on its first line than HAProxy takes")
	}
	switch {
	case s.unset != "":
		r.notes.add(plan.Fault, s.line, quote(s.kind, "$"+s.unset), unsetWhy)
	case other:
		r.notes.add(plan.Needless, s.line, s.title(), why)
	case s.kind == kindGlobal:
		r.global(s)
	case s.kind == kindDefaults:
		p := r.proxy(s)
		r.defaults[s.name], r.latest = p, p
		r.bases = append(r.bases, p)
	default:
		r.proxies = append(r.proxies, r.proxy(s))
	}
}

// unset tells that a line has a variable that nobody knows.
func (r *reader) unset(l line, keyword string) {
	r.notes.add(plan.Fault, l, quote(keyword, "$"+l.unset), unsetWhy)
}

// steps are what is to be done in HAProxy's world.
func (r *reader) steps() []string {
	var steps []string
	for _, p := range r.monitors {
		path, _, _ := strings.Cut(p.one("monitor-uri").word(1), "?")
		for _, d := range r.doors(p) {
			steps = append(steps, "Have what asks "+quote("http://HOST:"+strconv.Itoa(d.port)+path)+
				" ask kshalb's admin.http instead: /healthz, or /readyz for whether it can serve.")
		}
	}
	var ports []string
	for _, l := range r.plan.Listeners {
		if port := strconv.Itoa(l.Port.V); !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	if len(ports) == 0 {
		return steps
	}
	if len(r.http) > 0 {
		return append(steps, "Take the sections that kshalb stands for out of haproxy.cfg and reload HAProxy before kshalb starts, since both want port "+
			strings.Join(ports, ", ")+"; it goes on for "+strings.Join(r.http, ", ")+".")
	}
	return append(steps, "Stop HAProxy for good before kshalb starts, since both want port "+strings.Join(ports, ", ")+
		": systemctl disable --now haproxy, or take its manifest out of /etc/kubernetes/manifests.")
}
