package haproxy

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var (
	ownProcess = note(plan.Needless, "it is about HAProxy's own process; kshalb's unit or manifest says how kshalb runs")
	control    = note(plan.Needless, "kshalb is asked and told at admin.socket, by kshalb status and kshalb drain")
)

// globals are the keywords of global (section 3). Those that begin with tune., lua-
// and the like are told by their beginning.
var globals = map[string]directive{
	"maxconn": keepOne, "maxconnrate": keepOne, "maxsessrate": keepOne, "ca-base": keepOne, "crt-base": keepOne, "ssl-server-verify": keepOne,

	"daemon": ownProcess, "chroot": ownProcess, "user": ownProcess, "group": ownProcess, "uid": ownProcess, "gid": ownProcess, "pidfile": ownProcess,
	"ulimit-n": ownProcess, "fd-hard-limit": ownProcess, "cpu-map": ownProcess, "cpu-policy": ownProcess, "cpu-set": ownProcess,
	"nbproc": ownProcess, "nbthread": ownProcess, "thread-groups": ownProcess, "thread-group": ownProcess, "thread-hard-limit": ownProcess,
	"master-worker": ownProcess, "mworker-max-reloads": ownProcess, "set-dumpable": ownProcess, "quiet": ownProcess, "debug": ownProcess,
	"strict-limits": ownProcess, "prealloc-fd": ownProcess, "numa-cpu-mapping": ownProcess, "setcap": ownProcess, "h1-case-adjust": httpOnly,
	"h1-case-adjust-file": httpOnly, "expose-experimental-directives": ownProcess, "expose-deprecated-directives": ownProcess, "limited-quic": ownProcess,
	"zero-warning": ownProcess, "insecure-fork-wanted": ownProcess, "insecure-setuid-wanted": ownProcess, "unix-bind": ownProcess, "shm-stats-file": ownProcess,
	"harden.reject-privileged-ports.tcp": ownProcess, "harden.reject-privileged-ports.quic": ownProcess, "no-quic": ownProcess,
	"grace": directives["grace"], "hard-stop-after": directives["grace"], "close-spread-time": directives["grace"],
	"external-check": scripts, "wurfl-data-file": httpOnly, "51degrees-data-file": httpOnly, "deviceatlas-json-file": httpOnly,
	"log": logging, "log-tag": logging, "log-send-hostname": logging, "stats": control, "node": naming, "description": naming, "localpeer": naming,
	"server-state-base": stateFile, "server-state-file": stateFile, "issuers-chain-path": tlsPart, "key-base": tlsPart, "resetenv": ownProcess,
	"spread-checks": note(plan.Needless, "kshalb varies the time between probes by 10 %"), "max-spread-checks": note(plan.Needless, "kshalb varies the time between probes by 10 %"),
	"busy-polling": tuning, "maxpipes": tuning, "nosplice": splicing, "nogetaddrinfo": tuning, "noreuseport": tuning, "noepoll": tuning, "nopoll": tuning,
	"nokqueue": tuning, "noevports": tuning, "maxcomprate": httpOnly, "maxcompcpuusage": httpOnly, "maxzlibmem": httpOnly, "maxsslconn": tlsPart,
	"maxsslrate": tlsPart, "dns-accept-family": tuning, "anonkey": naming, "default-path": note(plan.Changed, "paths in kshalb.yaml are absolute"),
	"presetenv": ownProcess, "cluster-secret": tuning, "profiling.tasks": tuning, "profiling.memory": tuning, "warn-blocked-traffic-after": tuning,
	"uuid": naming, "trace": naming, "set-var": rules, "set-var-fmt": rules, "pp2-never-send-local": tuning, "h2-workaround-bogus-websocket-clients": httpOnly,
}

var globalBeginnings = []struct {
	text string
	directive
}{
	{"tune.", tuning}, {"lua-", scripts}, {"ssl-", tlsPart}, {"51degrees-", httpOnly}, {"deviceatlas-", httpOnly}, {"wurfl-", httpOnly},
	{"http-err", httpOnly}, {"acme.", tlsPart}, {"ocsp-update.", tlsPart}, {"harden.", tuning}, {"profiling.", tuning}, {"httpclient.", tuning},
}

// global reads a section global. There may be several.
func (r *reader) global(s *section) {
	for _, l := range s.lines {
		d, keyword, known := find(globals, l)
		for _, b := range globalBeginnings {
			if !known && strings.HasPrefix(keyword, b.text) {
				d, known = b.directive, true
			}
		}
		switch {
		case !known:
			r.notes.add(plan.Lost, l, quote(keyword), unknownWhy)
		case d.use == noted:
			r.notes.add(d.level, l, keyword, d.why)
		case l.unset != "":
			r.unset(l, keyword)
		case l.words[0] != "no":
			r.globals[keyword] = l
		}
	}
}

// base is a file's path with what global says relative ones are relative to;
// "" where that can't be told.
func (r *reader) base(key, path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	folder := r.globals[key].word(1)
	if !strings.HasPrefix(folder, "/") || strings.HasPrefix(path, "@") {
		return ""
	}
	return strings.TrimSuffix(folder, "/") + "/" + path
}
