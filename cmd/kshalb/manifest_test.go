package main

import (
	"strings"
	"testing"
)

// TestManifest: each line of words, its exit code, and what it says on the standard
// output or, when it fails, the other one.
func TestManifest(t *testing.T) {
	cluster, alone := write(t, "cluster.yaml", warned), write(t, "worker.yaml", good)
	for line, c := range map[string]struct {
		code int
		want string
	}{
		"--image a/b:v1 --config " + cluster:                                                   {exitDone, "kshalb on a master"},
		"--image a/b:v1 --path /srv/k/k.yaml --config " + cluster:                              {exitDone, "command: [kshalb, run, --config, /srv/k/k.yaml]"},
		"--role node --image a/b:v1 --config " + cluster:                                       {exitDone, "kshalb on a worker"},
		"--role node --image a/b:v1 --config " + alone:                                         {exitDone, "kshalb on a worker"},
		"--role node --print config --dns a.example --config " + cluster:                       {exitDone, "dns: a.example # --dns"},
		"--role node --print config --listener a --listen 127.0.0.1:16443 --config " + cluster: {exitDone, "port: 16443 # --listen"},
		"--role node --print config --masters m1=192.0.2.1,192.0.2.2 --port 7443":              {exitDone, "address: 192.0.2.1:7443 # --masters: m1"},
		"--role node --print config --masters 192.0.2.1 --vip 192.0.2.10":                      {exitDone, "address: 192.0.2.10:6443 # --vip"},
		"--config " + cluster:                                          {exitUsage, "without a release version"},
		"--role witness --image a/b:v1 --config " + cluster:            {exitFailed, "no witness among cluster.peers"},
		"--role slave --image a/b:v1 --config " + cluster:              {exitUsage, "write one of [master node witness]"},
		"--role node --print config --config " + alone:                 {exitFailed, "tell the masters with --masters"},
		"--role node --print config --listen here --config " + cluster: {exitUsage, "write ADDRESS:PORT"},
		"--role node --print config --masters here":                    {exitUsage, "write NAME=ADDRESS"},
		"--role node --masters 192.0.2.1 --config " + cluster:          {exitUsage, "without --config"},
		"--role node --masters 192.0.2.1 --port 0":                     {exitUsage, "write 1 to 65535"},
		"--role node --vip 192.0.2.10":                                 {exitUsage, "goes with --masters"},
		"--dns a.example":                                              {exitUsage, "goes with --role node"},
		"--print config":                                               {exitUsage, "goes with --role node"},
		"--role slave":                                                 {exitUsage, "write one of"},
		"--print pod":                                                  {exitUsage, "write manifest or config"},
		"--image a/b:v1 --config " + cluster + ".gone":                 {exitFailed, "no such file"},
		"--image a/b:v1 --config " + write(t, "bad.yaml", bad):         {exitUsage, "unknown key"},
	} {
		code, out, errs := said(t, append([]string{"manifest"}, strings.Fields(line)...)...)
		text, silent := out, errs
		if c.code != exitDone {
			text, silent = errs, out
		}
		if code != c.code || !strings.Contains(text, c.want) || silent != "" {
			t.Errorf("kshalb manifest %s: exit code %d, %s%s; want %d and %q", line, code, out, errs, c.code, c.want)
		}
	}
}
