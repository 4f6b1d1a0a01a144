package main

import (
	"bytes"
	"embed"
	"fmt"
	"net/netip"
	"text/template"
)

//go:embed configs
var configs embed.FS

// setting is what a configuration file is made from.
type setting struct {
	Dir              string // for files of the balancer
	Balancer, Server netip.Addr
	Ports            []uint16 // each forwarded to the same one of the server
	CPUs             int
	Descriptors      int    // that a process may have open
	Connections      int    // that a balancer may have with these
	Module           string // of nginx, to be loaded; "" where it is built in
}

// render fills in one of the files in configs/.
func (s setting) render(name string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(configs, "configs/"+name)
	if err != nil {
		return nil, fmt.Errorf("parse configs/%s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, s); err != nil {
		return nil, fmt.Errorf("fill in configs/%s: %w", name, err)
	}
	return out.Bytes(), nil
}
