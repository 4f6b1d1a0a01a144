package e2e

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// balancer is what stands in front of the API servers.
type balancer interface {
	name() string
	port() uint16 // of the address, to which clients connect
	start(*controlPlane, *cluster.Master) error
	// restored waits until it serves on all masters, and all backends are up.
	restored(context.Context, *controlPlane) error
}

const kshalbName = "kshalb"

// balancerOf returns the one of a name.
func balancerOf(t *testing.T, name string) balancer {
	t.Helper()
	switch name {
	case kshalbName:
		return ours{}
	case "haproxy-guide":
		return newRival(t, name, guideHAProxy, guideKeepalived)
	case "haproxy-tuned":
		return newRival(t, name, tunedHAProxy, tunedKeepalived)
	}
	t.Fatalf("there is no balancer %q", name)
	return nil
}

type ours struct{}

func (ours) name() string                                   { return kshalbName }
func (ours) port() uint16                                   { return cluster.Port }
func (ours) start(_ *controlPlane, m *cluster.Master) error { return m.Start() }

func (ours) restored(ctx context.Context, p *controlPlane) error {
	for _, m := range p.Masters {
		if err := m.WaitStatus(ctx, allUp); err != nil {
			return err
		}
	}
	return nil
}

// rival is HAProxy with Keepalived, on a port of its own as the API servers have
// theirs on all addresses.
type rival struct {
	title               string
	haproxy, keepalived string // programs
	haproxyText         string
	keepalivedText      string
}

func newRival(t *testing.T, title, haproxyText, keepalivedText string) *rival {
	t.Helper()
	r := &rival{title: title, haproxyText: haproxyText, keepalivedText: keepalivedText}
	for program, path := range map[string]*string{"haproxy": &r.haproxy, "keepalived": &r.keepalived, "curl": new(string)} {
		found, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("%v; Debian has it in a package of that name", err)
		}
		*path = found
	}
	return r
}

const (
	rivalPort = 8443
	statsAt   = "127.0.0.1:9000"
)

func (r *rival) name() string { return r.title }
func (r *rival) port() uint16 { return rivalPort }

func (r *rival) start(p *controlPlane, m *cluster.Master) error {
	path := func(name string) string { return filepath.Join(m.Dir(), name) }
	priority := 101
	for _, before := range p.Masters {
		if before == m {
			break
		}
		priority--
	}
	data := map[string]any{
		"Masters": p.Masters, "Self": m, "VIP": p.VIP, "Port": rivalPort, "Backends": cluster.Port, "Stats": statsAt,
		"Priority": priority, "Script": path("check_apiserver.sh"),
	}
	for name, text := range map[string]string{"haproxy.cfg": r.haproxyText, "keepalived.conf": r.keepalivedText, "check_apiserver.sh": checkScript} {
		if err := fill(path(name), text, data); err != nil {
			return err
		}
	}
	if err := os.Chmod(path("check_apiserver.sh"), 0o700); err != nil {
		return err
	}
	if _, err := m.Host.Start(lab.Spec{Name: "haproxy", Path: r.haproxy, Args: []string{"-db", "-f", path("haproxy.cfg")}}); err != nil {
		return err
	}
	_, err := m.Host.Start(lab.Spec{Name: "keepalived", Path: r.keepalived, Args: []string{
		"-n", "-l", "-D", "-P", "-f", path("keepalived.conf"), "-p", path("keepalived.pid"), "-r", path("vrrp.pid"), "-c", path("checkers.pid"),
	}})
	return err
}

func fill(path, text string, data any) error {
	t, err := template.New(filepath.Base(path)).Parse(text)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Execute(f, data)
}

func (r *rival) restored(ctx context.Context, p *controlPlane) error {
	for _, m := range p.Masters {
		for {
			err := backendsUp(ctx, m)
			if err == nil {
				break
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("wait for haproxy on %s: %w; last: %w", m.Name(), context.Cause(ctx), err)
			}
		}
	}
	return nil
}

// backendsUp asks haproxy of a master.
func backendsUp(ctx context.Context, m *cluster.Master) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DialContext: m.DialContext, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+statsAt+"/;csv", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	rows, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil {
		return err
	}
	const name, state = 1, 17 // columns svname and status (HAProxy management guide, 9.1)
	up := 0
	for _, row := range rows {
		if len(row) > state && row[0] == "apiserverbackend" && row[name] != "BACKEND" {
			if row[state] != "UP" {
				return fmt.Errorf("%s is %s", row[name], row[state])
			}
			up++
		}
	}
	if up != 3 {
		return fmt.Errorf("%d backends of 3", up)
	}
	return nil
}

// The configurations of the kubeadm guide for highly available clusters, without
// its logging, and with a page of statistics.
const guideHAProxy = `defaults
  mode http
  option dontlognull
  option http-server-close
  option redispatch
  retries 1
  timeout http-request 10s
  timeout queue 20s
  timeout connect 5s
  timeout client 35s
  timeout server 35s
  timeout http-keep-alive 10s
  timeout check 10s
frontend apiserver
  bind *:{{.Port}}
  mode tcp
  default_backend apiserverbackend
backend apiserverbackend
  option httpchk
  http-check connect ssl
  http-check send meth GET uri /healthz
  http-check expect status 200
  mode tcp
  balance roundrobin
{{- range .Masters}}
  server {{.Name}} {{.Addr}}:{{$.Backends}} check verify none
{{- end}}
frontend stats
  bind {{.Stats}}
  stats enable
  stats uri /
`

const guideKeepalived = `global_defs {
  router_id LVS_DEVEL
  script_user root
  enable_script_security
}
vrrp_script check_apiserver {
  script "{{.Script}}"
  interval 3
  weight -2
  fall 10
  rise 2
}
vrrp_instance VI_1 {
  state {{if eq .Priority 101}}MASTER{{else}}BACKUP{{end}}
  interface eth0
  virtual_router_id 51
  priority {{if eq .Priority 101}}101{{else}}100{{end}}
  authentication {
    auth_type PASS
    auth_pass 42
  }
  virtual_ipaddress {
    {{.VIP}}
  }
  track_script {
    check_apiserver
  }
}
`

const checkScript = `#!/bin/sh
exec curl -sfk --max-time 2 https://localhost:{{.Port}}/healthz -o /dev/null
`

// What can be made of both by somebody who knows them well.
const tunedHAProxy = `defaults
  mode tcp
  option redispatch 1
  option clitcpka
  option srvtcpka
  retries 3
  timeout connect 500ms
  timeout client 1h
  timeout server 1h
  timeout check 400ms
frontend apiserver
  bind *:{{.Port}}
  default_backend apiserverbackend
backend apiserverbackend
  option httpchk
  http-check connect ssl
  http-check send meth GET uri /readyz
  http-check expect status 200
  balance roundrobin
  default-server inter 500ms fastinter 100ms downinter 500ms fall 2 rise 2 on-marked-down shutdown-sessions observe layer4 error-limit 3 on-error mark-down tcp-ut 2s
{{- range .Masters}}
  server {{.Name}} {{.Addr}}:{{$.Backends}} check verify none
{{- end}}
frontend stats
  mode http
  timeout http-request 10s
  bind {{.Stats}}
  stats enable
  stats uri /
`

const tunedKeepalived = `global_defs {
  router_id {{.Self.Name}}
  vrrp_version 3
  script_user root
  enable_script_security
}
vrrp_script check_apiserver {
  script "{{.Script}}"
  interval 1
  timeout 1
  weight -50
  fall 2
  rise 2
}
vrrp_instance VI_1 {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority {{.Priority}}
  advert_int 0.1
  garp_master_refresh 30
  virtual_ipaddress {
    {{.VIP}}
  }
  track_script {
    check_apiserver
  }
}
`
