package haproxy

import (
	"strings"
	"testing"
)

// TestSays holds lines of a listen with two servers against what the plan says of
// them.
func TestSays(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"balance first", "lost: balance first"},
		{"balance uri", "lost: balance uri"},
		{"balance hash src", "Balance = source"},
		{"balance hash path", "lost: balance hash"},
		{"balance static-rr", "Balance = roundrobin"},
		{"balance random", "Balance = random2"},
		{"balance random(2)", "Balance = random2"},
		{"balance source; default-server slowstart 5s", "lost: slowstart"},
		{"default-server slowstart 2h", "SlowStart = 1h0m0s"},
		{"default-server slowstart x", "fault: slowstart x"},
		{"stick on dst", "lost: stick on"},
		{"stick-table type ip size 1m", "lost: stick-table"},
		{"monitor-uri /x", "needless: monitor-uri"},
		{"source 10.0.0.9", "lost: source"},
		{"default-server source 0.0.0.0 usesrc client", "SourceAddress = client"},
		{"default-server source 10.0.0.9", "lost: source"},
		{"default-server send-proxy", "ProxyProtocol = v1"},
		{"default-server send-proxy-v2-ssl", "ProxyProtocol = v2"},
		{"default-server send-proxy; server c 10.0.0.3:6443 no-send-proxy send-proxy-v2", "fault: send-proxy of some servers"},
		{"default-server on-marked-down foo", "lost: on-marked-down foo"},
		{"default-server weight 0", "Weight = 0"},
		{"default-server weight 300", "Weight = 256"},
		{"default-server weight x", "fault: weight x"},
		{"default-server backup", "changed: backup of all servers"},
		{"server c 10.0.0.3:6443 backup; server d 10.0.0.4:6443 backup", "changed: backup of several servers"},
		{"server c 10.0.0.3:+60000", "fault: server c"},
		{"server c 10.0.0.1:6443", "fault: server c: another server"},
		{"server c *:6443", "lost: server c"},
		{"server c", "fault: server c: it has no address"},
		{"server c 10.0.0.3:6443-6444", "fault: server c"},
		{"server c 224.0.0.1:6443", "fault: server c"},
		{"server c 10.0.0.3:6443 ssl", "fault: ssl of a server"},
		{"server c 10.0.0.3:6443 inter", "fault: inter: its value is missing"},
		{"server c 10.0.0.3:6443 no-check", "changed: server c without check"},
		{"server-template c 1-3 _s._tcp.example:6443", "lost: server-template c"},
		{"server-template c 1-3 api.example:6443", " api.example:6443"},
		{"dispatch 10.0.0.3:6443", " 10.0.0.3:6443"},
		{"option smtpchk", "lost: option smtpchk"},
		{"option tcp-check; tcp-check connect", "Check.Type = tcp"},
		{"option tcp-check; tcp-check send x", "lost: tcp-check send"},
		{"tcp-check send x", "needless: tcp-check send"},
		{"option ssl-hello-chk", "changed: option ssl-hello-chk"},
		{"option httpchk GET /x; option tcp-check", "needless: option httpchk"},
		{"option httpchk GET /x; no option httpchk", "Check.Type = tcp"},
		{"option httpchk; default-server check-ssl", "changed: OPTIONS in a check"},
		{"option httpchk /ready; default-server check-ssl", "Check.Path = /ready"},
		{"option httpchk GET nowhere", "fault: the path of the check"},
		{"option httpchk GET /x; default-server ssl", "Check.Type = https"},
		{"option httpchk GET /x; default-server check-ssl addr 10.0.0.9", "lost: addr 10.0.0.9"},
		{"option httpchk GET /x; http-check expect status 200,301-302", "Check.Expect = [200 301 302]"},
		{"option httpchk GET /x; http-check expect ! status 500", "changed: http-check expect status"},
		{"option httpchk GET /x; http-check expect rstatus (", "fault: http-check expect rstatus"},
		{"option httpchk GET /x; http-check expect status x", "fault: http-check expect status"},
		{"option httpchk GET /x; http-check expect comment a min-recv 5 status 204", "Check.Expect = [204]"},
		{"option httpchk GET /x; http-check connect; default-server check-ssl", "Check.Type = http "},
		{"option httpchk GET /x; http-check connect default; default-server check-ssl", "Check.Type = https"},
		{"option httpchk GET /x; http-check disable-on-404", "changed: http-check disable-on-404"},
		{"option httpchk GET /x; http-check send-state", "lost: http-check send-state"},
		{"option httpchk GET /x; http-check connect port 5 ssl linger proto h2", "lost: http-check connect port"},
		{"option httpchk; http-check send meth GET uri /y ver HTTP/1.1 hdr Host a.example body z", "Check.Host = a.example"},
		{"option httpchk GET /x; default-server check-ssl check-sni a.example sni str(b.example)", "Check.ServerName = a.example"},
		{"option httpchk GET /x; default-server check-ssl sni ssl_fc_sni", "lost: sni"},
		{"option httpchk GET /x; default-server check-ssl verify required ca-file ca.pem", "lost: ca-file"},
		{"option httpchk GET /x; default-server check-ssl verify none ca-file /ca.pem", "needless: ca-file"},
		{"option httpchk GET /x; default-server check-ssl ca-file @system-ca", "lost: ca-file"},
		{"timeout connect 0", "changed: timeout connect 0"},
		{"timeout connect 20m", "Timeouts.Connect = 10m0s"},
		{"contimeout 3000", "Timeouts.Connect = 3s"},
		{"clitimeout 90m", "Timeouts.Idle = 1h30m0s"},
		{"timeout client 0; timeout server 0", "Timeouts.Idle = 0s"},
		{"timeout tunnel 10d", "Timeouts.Idle = 168h0m0s"},
		{"timeout server-fin 5s", "Timeouts.HalfClosed = 5s"},
		{"maxconn 0", "Check.Type = tcp"},
		{"maxconn 9999999", "Limits.Connections = 1000000"},
		{"rate-limit sessions x", "fault: rate-limit sessions x"},
		{"default-server rise x", "fault: rise x"},
		{"default-server inter 2h", "Interval = 1h0m0s"},
		{"default-server fastinter 5s downinter 1s inter 6s", "DownInterval = 5s"},
		{"default-server observe layer7", "lost: observe layer7"},
		{"use_backend other if { dst_port 5 }", "lost: use_backend other"},
		{"default_backend gone", "fault: default_backend gone"},
		{"use_backend %[req.hdr(host)]", "lost: listen a"},
		{"default_backend \"$GONE\"", "fault: default_backend $GONE"},
		{"tcp-request content do-resolve(x) y", "lost: tcp-request content do-resolve(x)"},
		{"tcp-request connection track-sc0 src", "lost: tcp-request connection track-sc0"},
		{"tcp-request foo", "lost: tcp-request foo"},
		{"tcp-request connection accept if { src 10.0.0.1 }; tcp-request connection reject if { src_conn_cur gt 5 }", "lost: tcp-request connection reject"},
		{"description \x01", "needless: description"},
		{"\x01odd", "lost: ?odd"},
		{strings.Repeat("x", 100), strings.Repeat("x", 80) + "..."},
	} {
		text := "listen a\n bind :6443\n server s1 10.0.0.1:6443 check\n " + strings.ReplaceAll(c.lines, ";", "\n") + "\n"
		if strings.Contains(c.lines, "default-server") {
			lines, servers, _ := strings.Cut(c.lines, "; server")
			text = "listen a\n bind :6443\n " + strings.ReplaceAll(lines, ";", "\n") + "\n server s1 10.0.0.1:6443 check\n" + " server" + servers + "\n"
			if servers == "" {
				text = strings.TrimSuffix(text, " server\n")
			}
		}
		if got := dump(mustRead(t, text)); !strings.Contains(got, c.want) {
			t.Errorf("%q does not say %q:\n%s", text, c.want, got)
		}
	}
}

// TestSaysOfFiles holds whole files against what the plan says.
func TestSaysOfFiles(t *testing.T) {
	const api = "\n bind :6443\n server s1 10.0.0.1:6443 check\n"
	for _, c := range []struct{ text, want string }{
		{"listen a:b" + api, "Name = a-b"},
		{"listen a" + api + "listen a\n bind :7000\n server s1 10.0.0.1:6443", "Name = a-7000-2"},
		{"listen " + strings.Repeat("a", 64) + api, "Listeners[0].Address"},
		{"global\n maxconn 100\ndefaults\n maxconn 200\nlisten a" + api, "Connections = 100"},
		{"global\n maxconn \"$GONE\"\nlisten a" + api, "fault: maxconn $GONE"},
		{"global\n tune.x 1\n lua-load x\n default-path config\n no log\nlisten a" + api, "lost: lua-load"},
		{"global\n setenv A x\n unsetenv A\nlisten \"$A\"" + api, "fault: listen $A"},
		{"global\n setenv A x\n resetenv HOME\nlisten \"$A\"" + api, "fault: listen $A"},
		{"global\n ssl-server-verify none\nlisten a\n option httpchk GET /x" + strings.ReplaceAll(api, "check", "check check-ssl"), "changed: verify none"},
		{"frontend a junk" + api, "fault: frontend a: more stands"},
		{"defaults x\n mode tcp\ndefaults y\nlisten a" + api, "needless: defaults x"},
		{"frontend a\n bind :1\n default_backend b\nbackend b\n disabled\n server s 10.0.0.1:1", "fault: backend b: it is disabled"},
		{"backend b\n disabled", "needless: backend b: it is disabled"},
		{"frontend a\n bind :1\n default_backend b\nbackend b\n mode http\n server s 10.0.0.1:1", "lost: backend b: mode http"},
		{"frontend a\n bind :1\n server s 10.0.0.1:1\n balance source", "needless: server, balance: HAProxy ignores it in a frontend"},
		{"listen a\n server s2 127.0.0.1:6443" + api, "fault: server s2: it is the listener itself"},
		{"listen a\n source 0.0.0.0 usesrc clientip\n bind [::1]:7000" + api, "fault: bind ::1 with usesrc"},
		{"listen a\n mode http", "needless: listen a: mode http, and no servers"},
		{"listen a\n bind :6443 v6only" + api, "changed: bind v6only"},
		{"listen a\n bind 224.0.0.1:5" + api, "fault: bind 224.0.0.1:5"},
		{"listen a\n bind :5 frobnicate" + api, "fault: bind frobnicate"},
		{"listen a\n bind 10.0.0.9" + api, "fault: bind 10.0.0.9"},
		{"listen a\n bind :7000 tcp-ut x" + api, "fault: tcp-ut x"},
		{".else\nlisten a" + api, "fault: .else"},
		{".if 1\nlisten a" + api, "fault: .if: no .endif"},
		{".diag hello\nlisten a" + api, "needless: .diag"},
	} {
		if got := dump(mustRead(t, c.text)); !strings.Contains(got, c.want) {
			t.Errorf("%q does not say %q:\n%s", c.text, c.want, got)
		}
	}
}
