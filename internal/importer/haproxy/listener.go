package haproxy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// joint is a frontend with its backend: what all its listeners have in common.
type joint struct {
	fe, be  *proxy
	doors   []door
	servers []*server
	common  plan.Listener
}

// weld reads what the listeners of a frontend have in common.
func (r *reader) weld(j *joint) {
	l := &j.common
	l.Balance = r.balance(j.be)
	l.Check = r.check(j.be, j.servers)
	l.Timeouts = r.timeouts(j.fe, j.be)
	l.Limits = r.limits(j.fe)
	admitted := r.admission(j.fe, j.be)
	l.Allow, l.Limits.PerSource = admitted.allow, admitted.perSource
	l.SlowStart = r.slowStart(j)
	l.SourceAddress = r.sourceAddress(j)
	l.ProxyProtocol = r.proxyProtocol(j)
	if g, ok := r.common(j.servers, "on-marked-down"); ok && g.value == "shutdown-sessions" {
		l.OnDown = plan.Because("reset", g.at, "on-marked-down shutdown-sessions")
	} else if ok {
		r.notes.add(plan.Lost, g.line, quote("on-marked-down", g.value), "kshalb's onDown is reset or keep")
	}
	r.passBy(j)
}

// passBy tells what stands in lines that were kept for other things.
func (r *reader) passBy(j *joint) {
	for _, p := range sides(j.fe, j.be) {
		if l := p.one("stick-table"); l.words != nil && !j.common.Limits.PerSource.Given() && !p.has("stick on") {
			r.notes.add(plan.Lost, l, "stick-table", sticking.why)
		}
		if l := p.one("monitor-uri"); l.words != nil {
			r.notes.add(plan.Needless, l, "monitor-uri", "HAProxy ignores it in TCP mode")
		}
	}
}

var balances = map[string]string{
	"roundrobin": "roundrobin", "static-rr": "roundrobin", "leastconn": "leastconn", "source": "source", "random": "random2", "hash": "source",
}

// balance is how servers are picked. stick on src after it keeps clients where they
// were, which source comes close to.
func (r *reader) balance(be *proxy) plan.Value[string] {
	l := be.one("balance")
	if stick := be.one("stick on"); stick.word(2) == "src" && len(stick.words) == 3 {
		r.notes.add(plan.Changed, stick, "stick on src", "balance: source keeps a client's address at the same backend as far as possible, and after a restart, too; no table is needed")
		return plan.Because("source", stick.at, "stick on src")
	} else if stick.words != nil {
		r.notes.add(plan.Lost, stick, "stick on", sticking.why)
	}
	if l.words == nil {
		return plan.Value[string]{}
	}
	word, draws, _ := strings.Cut(strings.TrimSuffix(l.word(1), ")"), "(")
	v, known := balances[word]
	switch {
	case !known, word == "hash" && l.word(2) != "src":
		r.notes.add(plan.Lost, l, quote("balance", l.word(1)), "kshalb has roundrobin, leastconn, random2 and source; balance stays roundrobin")
		return plan.Value[string]{}
	case word == "random" && draws != "" && draws != "2":
		r.notes.add(plan.Changed, l, quote("balance", l.word(1)), "kshalb draws two")
	}
	if v == word {
		return plan.Of(v, l.at)
	}
	return plan.Because(v, l.at, quote("balance", l.word(1)))
}

func (r *reader) slowStart(j *joint) plan.Value[time.Duration] {
	g, ok := r.common(j.servers, "slowstart")
	if !ok {
		return plan.Value[time.Duration]{}
	}
	if j.common.Balance.V == "source" {
		r.notes.add(plan.Lost, g.line, "slowstart", "kshalb's balance: source sends a client to the same backend at any time")
		return plan.Value[time.Duration]{}
	}
	d := r.time(g.line, "slowstart", g.value)
	if !d.Given() {
		return d
	}
	return clip(d, 0, time.Hour)
}

// sourceAddress is whose address the servers see.
func (r *reader) sourceAddress(j *joint) plan.Value[string] {
	l, use := j.be.one("source"), after(j.be.one("source").words, "usesrc")
	if g, ok := r.common(j.servers, "source"); ok {
		l, use = g.line, ""
	}
	if g, ok := r.common(j.servers, "usesrc"); ok {
		l, use = g.line, g.value
	}
	switch {
	case l.words == nil:
		return plan.Value[string]{}
	case use == "clientip" || use == "client":
		return plan.Because("client", l.at, "usesrc "+use)
	}
	r.notes.add(plan.Lost, l, "source", "kshalb connects from the address that the host's routes give; set it there (ip route ... src ADDRESS)")
	return plan.Value[string]{}
}

// proxyProtocol is what all servers expect.
func (r *reader) proxyProtocol(j *joint) plan.Value[string] {
	versions := []struct{ param, version string }{
		{"send-proxy", "v1"}, {"send-proxy-v2", "v2"}, {"send-proxy-v2-ssl", "v2"}, {"send-proxy-v2-ssl-cn", "v2"},
	}
	var out plan.Value[string]
	with := 0
	for _, s := range j.servers {
		before := with
		for _, v := range versions {
			if g, ok := s.with[v.param]; ok {
				with = before + 1
				if !out.Given() {
					out = plan.Because(v.version, g.at, v.param)
				} else if out.V != v.version {
					with = -1
				}
			}
		}
		if with < 0 {
			break
		}
	}
	if with != 0 && with != len(j.servers) {
		r.notes.add(plan.Fault, j.servers[0].line, "send-proxy of some servers", "kshalb speaks the PROXY protocol to all backends of a listener or to none; have all of them expect the same")
		return plan.Value[string]{}
	}
	return out
}

// user is the longest tcp-ut of a door and its servers.
func (r *reader) user(j *joint, d door) plan.Value[time.Duration] {
	var out plan.Value[time.Duration]
	if d.user != "" {
		out = r.time(d.line, "tcp-ut", d.user)
	}
	if g, ok := r.common(j.servers, "tcp-ut"); ok {
		out = longer(out, r.time(g.line, "tcp-ut", g.value))
	}
	if !out.Given() {
		return out
	}
	out.Why = "tcp-ut; kshalb has one for both sides"
	return clip(out, 0, maxSilence)
}

// listener is the one of a door.
func (r *reader) listener(j *joint, d door, name plan.Value[string]) plan.Listener {
	l := j.common
	l.Name = name
	l.Address = plan.Of(d.addr, d.at)
	if strings.HasPrefix(d.word(1), "*") || strings.HasPrefix(d.word(1), ":") && d.addr.Is4() {
		l.Address.Why = "all addresses"
	}
	l.Port = plan.Of(d.port, d.at)
	l.Timeouts.User = r.user(j, d)
	l.Backends = r.backends(j, d)
	cannot := func(s *server) bool { return !s.place.asClient(d) }
	if l.SourceAddress.V == "client" && slices.ContainsFunc(j.servers, cannot) {
		r.notes.add(plan.Fault, d.line, quote("bind", d.addr.String(), "with usesrc"), "some servers cannot answer clients of this address; leave usesrc out, or give the listener servers of its own family")
		l.SourceAddress = plan.Value[string]{}
	}
	return l
}

// listenerName makes a name of a listener that kshalb.yaml takes, and that no other has.
func (r *reader) listenerName(j *joint, d door) plan.Value[string] {
	base := strings.Trim(strings.ReplaceAll(j.fe.name, ":", "-"), "-_.")
	text := base
	if first := j.doors[0]; first.port != d.port || first.addr != d.addr {
		text = base + "-" + strconv.Itoa(d.port)
	}
	for n := 2; r.names[text]; n++ {
		text = base + "-" + strconv.Itoa(d.port) + "-" + strconv.Itoa(n)
	}
	if !nameRule.MatchString(text) {
		return plan.Value[string]{}
	}
	r.names[text] = true
	if text == j.fe.name {
		return plan.Of(text, j.fe.at)
	}
	return plan.Because(text, j.fe.at, j.fe.title())
}
