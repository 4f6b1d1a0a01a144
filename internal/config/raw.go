package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The grammar of the file. A field's tags say all that can be said of its key
// alone; what several keys say together stands in validate_*.go.
//
//	yaml     the key
//	need     it must be given; the value is an example for the message
//	default  what holds when it is not given (no tag: the zero value)
//	range    "low..high", either may be left out
//	oneof    the words it may be, parted by "|"
//	is       a rule of texts, see rules.go
//	short    the struct may be written as this field's value alone
type rawConfig struct {
	Version   int           `yaml:"version" need:"1" oneof:"1"`
	Cluster   rawCluster    `yaml:"cluster"`
	Election  rawElection   `yaml:"election"`
	VIPs      []rawVIP      `yaml:"vips"`
	Listeners []rawListener `yaml:"listeners" need:"{name: apiserver, vip: apiserver, port: 6443, ...}"`
	Hooks     []rawHook     `yaml:"hooks"`
	Admin     rawAdmin      `yaml:"admin"`
	Log       rawLog        `yaml:"log"`
}

type rawCluster struct {
	Name      string    `yaml:"name" default:"kshalb" is:"name"`
	Peers     []rawPeer `yaml:"peers"`
	Gossip    rawGossip `yaml:"gossip"`
	Bootstrap string    `yaml:"bootstrap" default:""`
}

type rawPeer struct {
	Name    string     `yaml:"name" need:"master1" is:"name"`
	Address netip.Addr `yaml:"address" need:"192.168.0.1"`
	Witness bool       `yaml:"witness" default:"false"`
}

type rawGossip struct {
	Port     int    `yaml:"port" default:"7946" range:"1..65535"`
	KeyFile  string `yaml:"keyFile" default:"/etc/kshalb/gossip.key" is:"file"`
	Insecure bool   `yaml:"insecure" default:"false"`
}

type rawElection struct {
	Lease time.Duration `yaml:"lease" default:"500ms" range:"300ms..2s"`
	Renew time.Duration `yaml:"renew" default:"100ms" range:"60ms.."`
}

type rawVIP struct {
	Name       string         `yaml:"name" need:"apiserver" is:"name"`
	Address    netip.Addr     `yaml:"address" need:"192.168.0.10"`
	Interface  string         `yaml:"interface" default:"" is:"interface"`
	Priorities map[string]int `yaml:"priorities" range:"0..1000"`
	Preempt    bool           `yaml:"preempt" default:"false"`
	Refresh    time.Duration  `yaml:"refresh" default:"30s" range:"1s..10m"`
	Force      bool           `yaml:"force" default:"false"`
}

type rawListener struct {
	Name         string         `yaml:"name" need:"apiserver" is:"name"`
	VIP          string         `yaml:"vip"`
	Bind         netip.Addr     `yaml:"bind"`
	Port         int            `yaml:"port" need:"6443" range:"1..65535"`
	PrivatePort  int            `yaml:"privatePort" range:"1..65535"`
	PortConflict string         `yaml:"portConflict" default:"auto" oneof:"auto|dnat|fail"`
	Balance      string         `yaml:"balance" default:"roundrobin" oneof:"roundrobin|leastconn|random2|source"`
	PreferLocal  bool           `yaml:"preferLocal" default:"false"`
	SlowStart    time.Duration  `yaml:"slowStart" default:"0s" range:"0s..1h"`
	Panic        string         `yaml:"panic" default:"tcp" oneof:"tcp|refuse"`
	OnDown       string         `yaml:"onDown" default:"reset" oneof:"reset|keep"`
	Source       string         `yaml:"source" default:"node" oneof:"node|client"`
	Proxy        string         `yaml:"proxyProtocol" default:"none" oneof:"none|v1|v2"`
	Rebalance    rawRebalance   `yaml:"rebalance"`
	Backends     rawBackends    `yaml:"backends" need:"{peers: true, port: 6443}"`
	Check        rawCheck       `yaml:"check"`
	Timeouts     rawTimeouts    `yaml:"timeouts"`
	Limits       rawLimits      `yaml:"limits"`
	Allow        []netip.Prefix `yaml:"allow"`
}

type rawBackends struct {
	Peers     bool         `yaml:"peers"`
	Port      int          `yaml:"port" range:"1..65535"`
	Addresses []rawBackend `yaml:"addresses"`
}

type rawBackend struct {
	Address endpoint `yaml:"address" short:"true"`
	DNS     string   `yaml:"dns" is:"hostname"` // with Port, which becomes Address
	Port    int      `yaml:"port" range:"1..65535"`
	Weight  int      `yaml:"weight" default:"1" range:"0..256"`
	Backup  bool     `yaml:"backup" default:"false"`
}

// String is the backend as one writes it: short where that says it all.
func (b rawBackend) String() string {
	text := "{address: " + b.Address.String()
	if b.Weight != 1 {
		text += ", weight: " + strconv.Itoa(b.Weight)
	}
	if b.Backup {
		text += ", backup: true"
	}
	if b.Weight == 1 && !b.Backup {
		return b.Address.String()
	}
	return text + "}"
}

type rawRebalance struct {
	Within       time.Duration `yaml:"within" default:"0s" range:"0s..24h"`
	Idle         time.Duration `yaml:"idle" default:"20s" range:"1s..1h"`
	MaxPerSecond int           `yaml:"maxPerSecond" default:"5" range:"1..1000"`
}

type rawCheck struct {
	Type            string        `yaml:"type" default:"https" oneof:"https|http|tcp"`
	Path            string        `yaml:"path" default:"/readyz" is:"urlpath"`
	Expect          []int         `yaml:"expect"`
	Host            string        `yaml:"host" default:"" is:"host"`
	ServerName      string        `yaml:"serverName" default:"" is:"hostname"`
	Interval        time.Duration `yaml:"interval" default:"500ms" range:"100ms..1h"`
	FastInterval    time.Duration `yaml:"fastInterval" default:"100ms" range:"50ms..1h"`
	DownInterval    time.Duration `yaml:"downInterval" default:"500ms" range:"100ms..1h"`
	StandbyInterval time.Duration `yaml:"standbyInterval" default:"2s" range:"100ms..1h"`
	Timeout         time.Duration `yaml:"timeout" default:"400ms" range:"10ms..1m"`
	Rise            int           `yaml:"rise" default:"2" range:"1..100"`
	Fall            int           `yaml:"fall" default:"2" range:"1..100"`
	CAFile          string        `yaml:"caFile" default:"" is:"file"`
	CertFile        string        `yaml:"certFile" default:"" is:"file"`
	KeyFile         string        `yaml:"keyFile" default:"" is:"file"`
	Passive         bool          `yaml:"passive" default:"true"`
}

type rawTimeouts struct {
	Connect    time.Duration `yaml:"connect" default:"2s" range:"1ms..10m"`
	Retry      time.Duration `yaml:"retry" default:"300ms" range:"0s..10m"`
	Idle       time.Duration `yaml:"idle" default:"0s" range:"0s..168h"`
	HalfClosed time.Duration `yaml:"halfClosed" default:"30s" range:"0s..168h"`
	Drain      time.Duration `yaml:"drain" default:"30s" range:"0s..168h"`
	User       time.Duration `yaml:"user" default:"15s" range:"0s..168h"`
}

type rawLimits struct {
	Connections  int `yaml:"connections" default:"20000" range:"0..1000000"`
	PerSource    int `yaml:"perSource" default:"0" range:"0..1000000"`
	NewPerSecond int `yaml:"newPerSecond" default:"0" range:"0..1000000"`
}

type rawHook struct {
	On      []string      `yaml:"on" need:"[holder]"`
	Exec    []string      `yaml:"exec" need:"[/usr/local/sbin/on-change]"`
	Timeout time.Duration `yaml:"timeout" default:"10s" range:"100ms..5m"`
}

// String is the hook as one writes it.
func (h rawHook) String() string {
	return fmt.Sprintf("{on: [%s], exec: %q, timeout: %s}", strings.Join(h.On, ", "), h.Exec, h.Timeout)
}

type rawAdmin struct {
	Socket string `yaml:"socket" default:"/run/kshalb/kshalb.sock" is:"socket"`
	HTTP   string `yaml:"http" default:"127.0.0.1:9446" is:"hostport"`
}

type rawLog struct {
	Level  string `yaml:"level" default:"info" oneof:"debug|info|warn|error"`
	Format string `yaml:"format" default:"text" oneof:"text|json"`
}
