package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// keepalivedPriority is the lowest of a master.
const keepalivedPriority = 100

const keepalivedText = `global_defs {
  router_id {{.Self.Name}}
  vrrp_version {{.Version}}
}
vrrp_instance apiserver {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority {{.Priority}}
  advert_int {{.Advert}}
  unicast_src_ip {{.Self.Addr}}
  unicast_peer {
{{- range .Masters}}{{if ne .Name $.Self.Name}}
    {{.Addr}}{{end}}{{end}}
  }
  virtual_ipaddress {
    {{.VIP}} dev eth0
  }
}
`

func (k *keepalived) config(m *cluster.Master) string {
	return filepath.Join(m.Dir(), "keepalived.conf")
}

// configure writes the file of each master.
func (k *keepalived) configure(c *cluster.Cluster, advert time.Duration, equal bool) error {
	t, err := template.New("keepalived.conf").Parse(keepalivedText)
	if err != nil {
		return err
	}
	version := 2
	if advert < time.Second {
		version = 3 // RFC 3768 has whole seconds only
	}
	for i, m := range c.Masters {
		priority := keepalivedPriority
		if !equal {
			priority += len(c.Masters) - 1 - i
		}
		f, err := os.OpenFile(k.config(m), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		err = t.Execute(f, map[string]any{
			"Self": m, "Masters": c.Masters, "VIP": c.VIP, "Priority": priority, "Version": version, "Advert": advert.Seconds(),
		})
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", k.config(m), err)
		}
	}
	return nil
}
