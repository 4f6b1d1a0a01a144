package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Embedded is the configuration of one machine without a file: one listener at
// listen that probes and serves the backends over TCP, no cluster, no VIP, no
// admin socket, and HTTP at its default place. All are ADDRESS:PORT; a
// backend may be NAME:PORT.
func Embedded(listen string, backends []string) (*Config, error) {
	const name = "command line"
	at, err := parseAddrPort(listen)
	if err != nil {
		return nil, flagError(name, "--listen", listen, err)
	}
	if len(backends) == 0 {
		return nil, &Error{[]Problem{{File: name, Path: "--backend", Text: "is missing; write one like 192.168.0.1:6443"}}}
	}
	for _, b := range backends {
		if _, err := parseEndpoint(b); err != nil {
			return nil, flagError(name, "--backend", b, err)
		}
	}
	text, err := yaml.Marshal(map[string]any{
		"version": 1,
		"listeners": []any{map[string]any{
			"name": "default", "bind": at.Addr().String(), "port": at.Port(),
			"backends": map[string]any{"addresses": backends},
			"check":    map[string]any{"type": CheckTCP},
		}},
		"admin": map[string]any{"socket": ""},
	})
	if err != nil {
		return nil, fmt.Errorf("write the embedded configuration: %w", err)
	}
	d := newDecoder(name)
	d.unseen = true
	return d.parse(text)
}

func flagError(file, flag, value string, err error) error {
	return &Error{[]Problem{{File: file, Path: flag, Text: quote(value) + " " + err.Error()}}}
}
