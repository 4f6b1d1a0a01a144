package plan

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/printable"
	"go.yaml.in/yaml/v3"
)

// YAML is the plan as the text of kshalb.yaml. A comment behind each value says
// where it came from. Names must have been given, and each listener its VIP or
// Bind. Equal plans give equal texts.
func (p Plan) YAML() ([]byte, error) {
	root := new(mapping)
	root.add("version", "1", "")
	root.sub("cluster", p.cluster())
	election := new(mapping)
	put(election, "lease", p.Lease)
	put(election, "renew", p.Renew)
	root.sub("election", election)
	root.list("vips", each(p.VIPs, VIP.mapping))
	root.list("listeners", each(p.Listeners, Listener.mapping))
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root.node()); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return out.Bytes(), nil
}

func (p Plan) cluster() *mapping {
	m := new(mapping)
	put(m, "name", p.ClusterName)
	m.list("peers", each(p.Peers, Peer.mapping))
	gossip := new(mapping)
	put(gossip, "port", p.GossipPort)
	m.sub("gossip", gossip)
	put(m, "bootstrap", p.Bootstrap)
	return m
}

func (p Peer) mapping() *mapping {
	m := new(mapping)
	put(m, "name", p.Name)
	put(m, "address", p.Address)
	put(m, "witness", p.Witness)
	return m
}

func (v VIP) mapping() *mapping {
	m := new(mapping)
	put(m, "name", v.Name)
	put(m, "address", v.Address)
	put(m, "interface", v.Interface)
	priorities := new(mapping)
	for _, p := range v.Priorities {
		put(priorities, p.Peer, p.Priority)
	}
	m.sub("priorities", priorities)
	put(m, "preempt", v.Preempt)
	put(m, "refresh", v.Refresh)
	return m
}

func (l Listener) mapping() *mapping {
	m := new(mapping)
	put(m, "name", l.Name)
	put(m, "vip", l.VIP)
	put(m, "bind", l.Bind)
	put(m, "port", l.Port)
	put(m, "privatePort", l.PrivatePort)
	put(m, "balance", l.Balance)
	put(m, "slowStart", l.SlowStart)
	put(m, "panic", l.Panic)
	put(m, "onDown", l.OnDown)
	put(m, "source", l.SourceAddress)
	put(m, "proxyProtocol", l.ProxyProtocol)
	m.sub("backends", l.backends())
	m.sub("check", l.Check.mapping())
	m.sub("timeouts", l.Timeouts.mapping())
	m.sub("limits", l.Limits.mapping())
	m.values("allow", l.Allow)
	return m
}

func (l Listener) backends() *mapping {
	m := new(mapping)
	if l.PeersPort.Given() {
		m.add("peers", "true", "")
		put(m, "port", l.PeersPort)
		return m
	}
	m.list("addresses", each(l.Backends, Backend.mapping))
	return m
}

func (b Backend) mapping() *mapping {
	m := new(mapping)
	at := Because("", b.From, b.Name).comment()
	if _, err := netip.ParseAddr(b.Host); err == nil {
		m.add("address", netipJoin(b.Host, b.Port), at)
	} else {
		m.add("dns", b.Host, at)
		m.add("port", strconv.Itoa(b.Port), "")
	}
	put(m, "weight", b.Weight)
	put(m, "backup", b.Backup)
	return m
}

func netipJoin(host string, port int) string {
	addr, _ := netip.ParseAddr(host) // the caller has done so
	return netip.AddrPortFrom(addr, uint16(port)).String()
}

func (c Check) mapping() *mapping {
	m := new(mapping)
	put(m, "type", c.Type)
	put(m, "path", c.Path)
	put(m, "expect", c.Expect)
	put(m, "host", c.Host)
	put(m, "serverName", c.ServerName)
	put(m, "interval", c.Interval)
	put(m, "fastInterval", c.FastInterval)
	put(m, "downInterval", c.DownInterval)
	put(m, "timeout", c.Timeout)
	put(m, "rise", c.Rise)
	put(m, "fall", c.Fall)
	put(m, "passive", c.Passive)
	put(m, "caFile", c.CAFile)
	put(m, "certFile", c.CertFile)
	put(m, "keyFile", c.KeyFile)
	return m
}

func (t Timeouts) mapping() *mapping {
	m := new(mapping)
	put(m, "connect", t.Connect)
	put(m, "idle", t.Idle)
	put(m, "halfClosed", t.HalfClosed)
	put(m, "drain", t.Drain)
	put(m, "user", t.User)
	return m
}

func (l Limits) mapping() *mapping {
	m := new(mapping)
	put(m, "connections", l.Connections)
	put(m, "perSource", l.PerSource)
	put(m, "newPerSecond", l.NewPerSecond)
	return m
}

// comment is where a value came from, on one line.
func (v Value[T]) comment() string {
	text := v.From.String()
	if v.Why != "" {
		text += ": " + v.Why
	}
	return printable.Text(strings.Join(strings.Fields(text), " "))
}

// mapping is keys with values, in order.
type mapping struct{ content []*yaml.Node }

// put adds a value that was given.
func put[T any](m *mapping, key string, v Value[T]) {
	if v.Given() {
		m.append(key, plain(v.V, v.comment()))
	}
}

func (m *mapping) add(key, value, comment string) { m.append(key, scalar(value, comment)) }

func (m *mapping) sub(key string, s *mapping) {
	if len(s.content) > 0 {
		m.append(key, s.node())
	}
}

func (m *mapping) list(key string, items []*mapping) {
	if len(items) == 0 {
		return
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range items {
		n.Content = append(n.Content, item.node())
	}
	m.append(key, n)
}

func (m *mapping) values(key string, all []Value[netip.Prefix]) {
	if len(all) == 0 {
		return
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range all {
		n.Content = append(n.Content, plain(v.V, v.comment()))
	}
	m.append(key, n)
}

func (m *mapping) append(key string, value *yaml.Node) {
	m.content = append(m.content, scalar(key, ""), value)
}

func (m *mapping) node() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Content: m.content} }

func each[T any](all []T, f func(T) *mapping) (ms []*mapping) {
	for _, v := range all {
		ms = append(ms, f(v))
	}
	return ms
}

// plain is a value as the configuration is written.
func plain(v any, comment string) *yaml.Node {
	switch v := v.(type) {
	case time.Duration:
		return scalar(duration(v), comment)
	case []int:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, LineComment: comment}
		for _, i := range v {
			n.Content = append(n.Content, scalar(strconv.Itoa(i), ""))
		}
		return n
	case string:
		n := new(yaml.Node)
		n.SetString(v)
		n.LineComment = comment
		return n
	default:
		return scalar(fmt.Sprint(v), comment)
	}
}

func scalar(text, comment string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: text, LineComment: comment}
}

// duration is d without the zeros that Go writes behind minutes and hours.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
