package haproxy

import "github.com/kshalb/kshalb/internal/importer/plan"

// directives are the keywords of proxies (section 4).
var directives = map[string]directive{
	"mode": keepOne, "disabled": keepOne, "enabled": keepOne.as("disabled"),

	"bind": keepAll.at(front), "default_backend": keepOne.at(front), "use_backend": keepAll.at(front),
	"maxconn": keepOne.at(front), "rate-limit sessions": keepOne.at(front), "monitor-uri": keepOne.at(front),
	"timeout client": keepOne.at(front), "clitimeout": keepOne.at(front).as("timeout client"), "timeout client-fin": keepOne.at(front),

	"server": keepAll.at(back), "server-template": keepAll.at(back).as("server"), "dispatch": keepAll.at(back).as("server"),
	"default-server": keepAll.at(back), "balance": keepOne.at(back), "source": keepOne.at(back),
	"timeout connect": keepOne.at(back), "contimeout": keepOne.at(back).as("timeout connect"),
	"timeout server": keepOne.at(back), "srvtimeout": keepOne.at(back).as("timeout server"),
	"timeout server-fin": keepOne.at(back), "timeout tunnel": keepOne.at(back), "timeout check": keepOne.at(back),
	"http-check": keepAll.at(back), "tcp-check": keepAll.at(back), "option allbackups": keepOne.at(back), "stick on": keepOne.at(back),

	"acl": keepAll, "tcp-request": keepAll, "stick-table": keepOne,

	"option httpchk": forCheck, "option ssl-hello-chk": forCheck, "option tcp-check": forCheck, "option smtpchk": forCheck,
	"option mysql-check": forCheck, "option pgsql-check": forCheck, "option redis-check": forCheck, "option ldap-check": forCheck,
	"option external-check": forCheck, "option spop-check": forCheck,

	"log": logging, "log-format": logging, "log-format-sd": logging, "log-tag": logging, "error-log-format": logging, "log-steps": logging, "capture": logging,
	"option tcplog": logging, "option httplog": logging, "option httpslog": logging, "option dontlognull": logging, "option dontlog-normal": logging,
	"option log-separate-errors": logging, "option logasap": logging, "option clf": logging, "option log-health-checks": logging,
	"option error-log-format": logging, "unique-id-format": logging, "unique-id-header": logging,

	"stats": statsPage, "option socket-stats": statsPage, "option contstats": statsPage,

	"option splice-auto": splicing, "option splice-request": splicing, "option splice-response": splicing,
	"option tcpka": keptAlive, "option clitcpka": keptAlive, "option srvtcpka": keptAlive,
	"clitcpka-cnt": keptAlive, "clitcpka-idle": keptAlive, "clitcpka-intvl": keptAlive,
	"srvtcpka-cnt": keptAlive, "srvtcpka-idle": keptAlive, "srvtcpka-intvl": keptAlive,
	"option tcp-smart-accept": tuning, "option tcp-smart-connect": tuning, "option independent-streams": tuning, "option use-small-buffers": tuning,
	"option nolinger":        note(plan.Changed, "kshalb passes on an end as an end and a reset as a reset"),
	"option abortonclose":    note(plan.Needless, "nothing waits in a queue here"),
	"option redispatch":      note(plan.Needless, "kshalb always tries another backend when one can't be connected to"),
	"redispatch":             note(plan.Needless, "kshalb always tries another backend when one can't be connected to"),
	"retries":                note(plan.Needless, "kshalb tries other backends until timeouts.connect is over"),
	"option persist":         note(plan.Lost, "kshalb sends nothing to a backend that is down while another one is up"),
	"option transparent":     note(plan.Lost, "kshalb connects to its backends only, not to where the client wanted to go"),
	"transparent":            note(plan.Lost, "kshalb connects to its backends only, not to where the client wanted to go"),
	"timeout queue":          note(plan.Needless, "nothing waits in a queue here: without a backend a client is refused at once"),
	"backlog":                tuning,
	"fullconn":               queueing,
	"max-session-srv-conns":  queueing,
	"hash-balance-factor":    queueing,
	"hash-type":              note(plan.Needless, "kshalb's balance: source is consistent by itself"),
	"hash-preserve-affinity": note(plan.Needless, "kshalb sends nothing to a backend that is down while another one is up"),
	"description":            naming, "id": naming, "guid": naming, "option": note(plan.Lost, "no such option is known here; look up what it did"),
	"bind-process": tuning, "grace": note(plan.Needless, "timeouts.drain is what connections get on a stop"),
	"load-server-state-from-file": stateFile, "server-state-file-name": stateFile,
	"use-server": rules, "tcp-response": rules, "force-persist": rules, "ignore-persist": rules, "stick": sticking, "persist": sticking,
	"filter": scripts, "external-check": scripts, "email-alert": note(plan.Lost, "kshalb sends no mail; have Prometheus watch kshalb_health_backend_up"),
	"monitor fail": note(plan.Needless, "kshalb's own /readyz at admin.http fails while it can serve nobody"),
	"monitor-net":  note(plan.Lost, "kshalb treats connections of all sources alike; ask /healthz at admin.http"),
	"quic-initial": tlsPart,

	"cookie": httpOnly, "appsession": httpOnly, "dynamic-cookie-key": httpOnly, "compression": httpOnly, "redirect": httpOnly, "block": httpOnly,
	"errorfile": httpOnly, "errorfiles": httpOnly, "errorloc": httpOnly, "errorloc302": httpOnly, "errorloc303": httpOnly, "http-error": httpOnly,
	"http-request": httpOnly, "http-response": httpOnly, "http-after-response": httpOnly, "http-reuse": httpOnly, "http-send-name-header": httpOnly,
	"max-keep-alive-queue": httpOnly, "retry-on": httpOnly, "use-fcgi-app": httpOnly, "declare": httpOnly,
	"reqadd": httpOnly, "reqallow": httpOnly, "reqdel": httpOnly, "reqdeny": httpOnly, "reqidel": httpOnly, "reqirep": httpOnly, "reqrep": httpOnly,
	"rspadd": httpOnly, "rspdel": httpOnly, "rspidel": httpOnly, "rspirep": httpOnly, "rsprep": httpOnly,
	"timeout http-request": httpOnly, "timeout http-keep-alive": httpOnly, "timeout tarpit": httpOnly,
	"option httpclose": httpOnly, "option forceclose": httpOnly, "option http-server-close": httpOnly, "option http-keep-alive": httpOnly,
	"option http-tunnel": httpOnly, "option http-pretend-keepalive": httpOnly, "option http-no-delay": httpOnly, "option http-use-proxy-header": httpOnly,
	"option http-use-htx": httpOnly, "option http-buffer-request": httpOnly, "option http-ignore-probes": httpOnly, "option http-proxy": httpOnly,
	"option http-restrict-req-hdr-names": httpOnly, "option http-drop-request-trailers": httpOnly, "option http-drop-response-trailers": httpOnly,
	"option forwardfor": httpOnly, "option forwarded": httpOnly, "option originalto": httpOnly, "option accept-invalid-http-request": httpOnly,
	"option accept-invalid-http-response": httpOnly, "option accept-unsafe-violations-in-http-request": httpOnly,
	"option accept-unsafe-violations-in-http-response": httpOnly, "option checkcache": httpOnly, "option disable-h2-upgrade": httpOnly,
	"option h1-case-adjust-bogus-client": httpOnly, "option h1-case-adjust-bogus-server": httpOnly, "option idle-close-on-response": httpOnly,
	"option prefer-last-server": httpOnly,
}
