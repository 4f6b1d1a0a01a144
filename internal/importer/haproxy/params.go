package haproxy

import "github.com/kshalb/kshalb/internal/importer/plan"

// param is a parameter of a server.
type param struct {
	args  int    // words that follow it
	kept  bool   // it is read; else a note says what there is to say
	undo  string // it takes back another one
	level plan.Level
	why   string
}

func read(args int) param     { return param{args: args, kept: true} }
func takes(back string) param { return param{undo: back} }

func told(args int, d directive) param { return param{args: args, level: d.level, why: d.why} }

var (
	probeTLS  = note(plan.Changed, "kshalb's probes have the TLS versions and ciphers of Go's library")
	agent     = note(plan.Lost, "kshalb asks no agents; it probes backends by check, and kshalb drain takes one out")
	resolving = note(plan.Needless, "kshalb asks the host's resolver for a name again and again, and keeps what it knew when there is no answer")
	fixedFall = note(plan.Changed, "with check.passive a failed connection counts as a failed probe")
	probeWire = note(plan.Needless, "kshalb's probes do as its connections do")
)

// params are the parameters of server and default-server (section 5.2).
var params = map[string]param{
	"check": read(0), "check-ssl": read(0), "ssl": read(0), "backup": read(0), "disabled": read(0),
	"send-proxy": read(0), "send-proxy-v2": read(0), "send-proxy-v2-ssl": read(0), "send-proxy-v2-ssl-cn": read(0),
	"inter": read(1), "fastinter": read(1), "downinter": read(1), "rise": read(1), "fall": read(1), "port": read(1), "addr": read(1),
	"weight": read(1), "slowstart": read(1), "verify": read(1), "verifyhost": read(1), "sni": read(1), "check-sni": read(1),
	"ca-file": read(1), "crt": read(1), "on-marked-down": read(1), "observe": read(1), "tcp-ut": read(1), "source": read(1), "usesrc": read(1),

	"no-check": takes("check"), "no-check-ssl": takes("check-ssl"), "no-ssl": takes("ssl"), "no-backup": takes("backup"), "enabled": takes("disabled"),
	"no-send-proxy": takes("send-proxy"), "no-send-proxy-v2": takes("send-proxy-v2"), "no-send-proxy-v2-ssl": takes("send-proxy-v2-ssl"),
	"no-send-proxy-v2-ssl-cn": takes("send-proxy-v2-ssl-cn"), "no-verifyhost": takes("verifyhost"),

	"maxconn": told(1, queueing), "minconn": told(1, queueing), "maxqueue": told(1, queueing), "strict-maxconn": told(0, queueing),
	"agent-check": told(0, agent), "agent-port": told(1, agent), "agent-inter": told(1, agent), "agent-addr": told(1, agent), "agent-send": told(1, agent), "no-agent-check": told(0, tuning),
	"resolvers": told(1, resolving), "resolve-prefer": told(1, resolving), "resolve-opts": told(1, resolving), "resolve-net": told(1, resolving), "init-addr": told(1, resolving), "init-state": told(1, stateFile),
	"error-limit": told(1, fixedFall), "on-error": told(1, fixedFall), "on-marked-up": told(1, note(plan.Lost, "kshalb ends no connections of backup backends when others come back")),
	"track": told(1, note(plan.Changed, "kshalb probes this backend by itself")), "check-send-proxy": told(0, probeWire), "no-check-send-proxy": told(0, probeWire),
	"check-via-socks4": told(0, probeWire), "socks4": told(1, note(plan.Lost, "kshalb connects to backends without a proxy")),
	"alpn": told(1, tlsPart), "npn": told(1, tlsPart), "check-alpn": told(1, probeTLS), "check-proto": told(1, probeTLS), "ciphers": told(1, probeTLS), "ciphersuites": told(1, probeTLS),
	"curves": told(1, probeTLS), "sigalgs": told(1, probeTLS), "client-sigalgs": told(1, probeTLS), "ssl-min-ver": told(1, probeTLS), "ssl-max-ver": told(1, probeTLS),
	"force-sslv3": told(0, probeTLS), "force-tlsv10": told(0, probeTLS), "force-tlsv11": told(0, probeTLS), "force-tlsv12": told(0, probeTLS), "force-tlsv13": told(0, probeTLS),
	"no-sslv3": told(0, probeTLS), "no-tlsv10": told(0, probeTLS), "no-tlsv11": told(0, probeTLS), "no-tlsv12": told(0, probeTLS), "no-tlsv13": told(0, probeTLS),
	"no-tls-tickets": told(0, probeTLS), "tls-tickets": told(0, probeTLS), "no-ssl-reuse": told(0, probeTLS), "ssl-reuse": told(0, probeTLS), "allow-0rtt": told(0, tlsPart),
	"renegotiate": told(0, probeTLS), "no-renegotiate": told(0, probeTLS), "crl-file": told(1, note(plan.Lost, "kshalb's probes look up no revocations")), "ech": told(1, probeTLS),
	"cookie": told(1, httpOnly), "redir": told(1, httpOnly), "proto": told(1, httpOnly), "ws": told(1, httpOnly), "max-reuse": told(1, httpOnly), "pool-low-conn": told(1, httpOnly),
	"pool-max-conn": told(1, httpOnly), "pool-purge-delay": told(1, httpOnly), "pool-conn-name": told(1, httpOnly), "check-pool-conn-name": told(1, httpOnly),
	"check-reuse-pool": told(0, httpOnly), "no-check-reuse-pool": told(0, httpOnly), "idle-ping": told(1, httpOnly), "stick": told(0, sticking), "non-stick": told(0, sticking),
	"id": told(1, naming), "guid": told(1, naming), "hash-key": told(1, tuning), "shard": told(1, naming), "log-proto": told(1, logging), "log-bufsize": told(1, logging),
	"namespace": told(1, note(plan.Lost, "kshalb connects from the network namespace that it runs in")), "interface": told(1, note(plan.Lost, "kshalb connects by the host's routes")),
	"proxy-v2-options": told(1, note(plan.Lost, "kshalb sends addresses and ports alone")), "set-proxy-v2-tlv-fmt": told(1, note(plan.Lost, "kshalb sends addresses and ports alone")),
	"tfo": told(0, note(plan.Lost, "kshalb does not use TCP Fast Open")), "no-tfo": told(0, tuning), "cc": told(1, tuning), "tcp-md5sig": told(1, note(plan.Lost, "kshalb signs no segments")),
	"quic-cc-algo": told(1, tlsPart), "ktls": told(1, tlsPart), "mss": told(1, tuning),
}
