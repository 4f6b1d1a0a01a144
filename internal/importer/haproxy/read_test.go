package haproxy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"frontend a\n bind :6443\n":                    true,
		"# x\n\nglobal\n\tdaemon\ndefaults\n":          true,
		"\ufeffdefaults\r\n  mode tcp\r\n":             true,
		"{% if x %}\nlisten {{ a }}\n  server b c:1\n": true,
		".if defined(A)\nglobal\n maxconn 5\n.endif\n": true,
		"":                                  false,
		"global\n":                          false,
		"global_defs {\n  router_id a\n}\n": false,
		"backend default {\n  .host = \"a\";\n}\n":              false,
		"apiVersion: v1\nkind: Pod\n":                           false,
		"data:\n  haproxy.cfg: |\n    global\n      daemon\n":   false,
		"#!/bin/sh\ncat <<EOF\nglobal\n  daemon\nEOF\n":         false,
		"[all]\nm1 ansible_host=10.0.0.1\n":                     false,
		"global = 1\nmode = tcp\n":                              false,
		"upstream a {\n server 10.0.0.1:6443;\n}\n":             false,
		"frontend a\n bind :1\n" + strings.Repeat("#", maxFile): false,
	} {
		if got := Is(plan.File{Name: "x", Data: []byte(text)}); got != want {
			t.Errorf("Is(%.40q) = %v", text, got)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":    "# nothing\n",
		"too large":  "global\n" + strings.Repeat("#", maxFile),
		"sections":   strings.Repeat("defaults\n", maxSections+1),
		"conditions": strings.Repeat(".if 1\n", maxBlocks+1),
		"variables":  "global\n setenv A " + strings.Repeat("a", 60000) + "\ndefaults\n" + strings.Repeat(" log \"$A\"\n", 100),
	} {
		_, err := Read(plan.Input{Files: []plan.File{{Name: "file", Data: []byte(data)}}})
		var bad *plan.Error
		if !errors.As(err, &bad) || bad.At.File != "file" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(plan.Input{}); err == nil {
		t.Error("no files are no error")
	}
}

// TestSeveralFiles: they are one configuration.
func TestSeveralFiles(t *testing.T) {
	p, err := Read(plan.Input{Files: []plan.File{
		{Name: "a.cfg", Data: []byte("global\n setenv PORT 6443\ndefaults\n mode tcp\n")},
		{Name: "b.cfg", Data: []byte("listen api\n bind \":$PORT\"\n server m 10.0.0.1:6443 check\n")},
	}})
	if err != nil || len(p.Listeners) != 1 || p.Listeners[0].Port != plan.Of(6443, plan.Source{File: "b.cfg", Line: 2}) {
		t.Errorf("%v %+v", err, p.Listeners)
	}
}

func TestConditions(t *testing.T) {
	for condition, want := range map[string]string{
		"": "no", "0": "no", "false": "no", "1": "yes", "true": "yes", "!1": "no", "!!true": "yes", "defined(HERE)": "yes", "defined(GONE)": "no",
		`streq("$HERE",x)`: "yes", `strneq("$HERE", x)`: "no", "version_atleast(2.4)": "yes", "version_before(2.4)": "no",
		"1 && 0": "no", "0 || 1": "yes", "feature(LUA)": "", "feature(LUA) || 1": "yes", "feature(LUA) && 0": "no", "!feature(LUA)": "", "x": "",
	} {
		text := ".if " + condition + "\ndefaults\n.else\nlisten a\n.endif\n"
		s := &scanner{set: map[string]variable{"HERE": {"x", true}}, notes: &notebook{}}
		if err := s.file(plan.File{Name: "f", Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(s.sections) == 1 {
			got = map[string]string{"defaults": "yes", "listen": "no"}[s.sections[0].kind]
		}
		if got != want {
			t.Errorf(".if %s: %q; want %q", condition, got, want)
		}
	}
}

func TestElif(t *testing.T) {
	p := mustRead(t, ".if 0\n.if 1\nlisten no\n.endif\n.elif 1\nlisten yes\n bind :1\n server s 10.0.0.1:1\n.elif 1\nlisten no\n.else\nlisten no\n.notice hello\n.endif\n")
	if len(p.Listeners) != 1 || p.Listeners[0].Name.V != "yes" {
		t.Errorf("%+v", p.Listeners)
	}
}

// TestBounds: what is too much is told, and the rest stands.
func TestBounds(t *testing.T) {
	var servers, ports, many strings.Builder
	for i := range maxServers + 1 {
		fmt.Fprintf(&servers, " server s%d 10.0.%d.%d:6443\n", i, i/250, i%250+1)
	}
	for i := range maxBinds + 1 {
		fmt.Fprintf(&ports, " bind :%d\n", i+1)
	}
	for i := range maxListeners + 1 {
		fmt.Fprintf(&many, "listen l%d\n bind :%d\n server s 10.0.0.1:1\n", i, i+1)
	}
	for name, c := range map[string]struct {
		text                string
		listeners, backends int
	}{
		"servers":   {"listen a\n bind :1\n" + servers.String(), 1, maxServers},
		"binds":     {"listen a\n server s 10.0.0.1:1\n" + ports.String(), maxBinds, 1},
		"range":     {"listen a\n server s 10.0.0.1:1\n bind :1-65535\n", maxPorts, 1},
		"listeners": {many.String(), maxListeners, 1},
	} {
		p := mustRead(t, c.text)
		if len(p.Listeners) != c.listeners || len(p.Listeners[0].Backends) != c.backends || p.Notes[0].Level != plan.Lost {
			t.Errorf("%s: %d listeners, %d backends, %v", name, len(p.Listeners), len(p.Listeners[0].Backends), p.Notes[0])
		}
	}
}

// planted is a password that stands wherever HAProxy may have one.
const planted = "zQ7xPlanted9"

const secrets = `
global
 setenv TOKEN ` + planted + `
 setenv "` + planted + `
 anonkey ` + planted + `
 stats socket /run/a.sock secret ` + planted + `
userlist people
 user a insecure-password ` + planted + `
defaults
 mode tcp
 dynamic-cookie-key ` + planted + `
 stats auth root:` + planted + `
 http-request auth realm ` + planted + `
 email-alert from ` + planted + `
listen a
 bind :6443 ssl ca-sign-pass ` + planted + ` tcp-md5sig ` + planted + `
 bind "unclosed ` + planted + `
 option httpchk GET /readyz?token=` + planted + ` HTTP/1.1\r\nAuthorization:\ Bearer\ ` + planted + `
 http-check send hdr Authorization Bearer ` + planted + `
 http-check send hdr Authorization "Bearer ` + planted + `" body ` + planted + `
 http-check set-var(check.a) str(` + planted + `)
 http-check expect string ` + planted + `
 default-server agent-send ` + planted + ` cookie ` + planted + `
 server m1 10.0.0.1:6443 check check-ssl agent-send "a ` + planted + `"
 server m2 10.0.0.2:6443 check check-ssl agent-send a ` + planted + `
 server m3 10.0.0.3:6443 check check-ssl set-proxy-v2-tlv-fmt ` + planted + ` tcp-md5sig ` + planted + `
listen b
 bind :6444
 option mysql-check user ` + planted + `
 tcp-check send AUTH\ ` + planted + `
 server m1 10.0.0.1:6443 check
listen c
 bind :6445
 option tcp-check
 tcp-check send AUTH\ ` + planted + `
 tcp-check send-binary ` + planted + `
 tcp-check expect string ` + planted + `
 server m1 10.0.0.1:6443 check
listen d
 mode http
 bind :80
 stats auth root:` + planted + `
 monitor-uri /alive?key=` + planted + `
`

func TestSecrets(t *testing.T) {
	p := mustRead(t, secrets)
	if len(p.Listeners) != 3 {
		t.Errorf("%d listeners", len(p.Listeners))
	}
	if text := fmt.Sprintf("%+v\n%s", p, dump(p)); strings.Contains(text, planted) {
		i := strings.Index(text, planted)
		t.Errorf("the plan has a password: %s", text[max(0, i-200):i])
	}
}

func FuzzRead(f *testing.F) {
	for _, folder := range []string{"kubeadm", "openshift", "runtimecfg", "words", "allow", "parameters", "faults"} {
		f.Add(sample(f, folder))
	}
	f.Add([]byte(secrets))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte(planted)) {
			t.Skip()
		}
		if p, err := Read(plan.Input{Files: []plan.File{{Name: "haproxy.cfg", Data: data}}}); err == nil && !faulty(p) {
			accepted(t, p)
		}
		data = append(append([]byte{}, data...), "\n.endif\n"+secrets...)
		in := plan.Input{Files: []plan.File{{Name: "haproxy.cfg", Data: data}}}
		p, err := Read(in)
		q, again := Read(in)
		if fmt.Sprintf("%+v %v", p, err) != fmt.Sprintf("%+v %v", q, again) {
			t.Error("the same input makes two plans")
		}
		if strings.Contains(fmt.Sprintf("%+v %v", p, err), planted) {
			t.Error("the plan has a password")
		}
		lines := bytes.Count(data, []byte("\n")) + 1
		holdSources(t, p, lines)
	})
}

func faulty(p plan.Plan) bool { return len(p.Notes) > 0 && p.Notes[0].Level == plan.Fault }
