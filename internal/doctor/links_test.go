package doctor

import (
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestJudgeLinks(t *testing.T) {
	good := func(v *View) {
		v.Links = []Link{{VIP: "api", Name: "eth0", Network: netip.MustParsePrefix("192.168.0.0/24"), Up: true, Carrier: true, MTU: 1500,
			Hardware: "02:00:00:00:00:" + v.Node[1:] + "0"}}
	}
	with := func(change func(l *Link)) func(v *View) { return on("m2", good, func(v *View) { change(&v.Links[0]) }) }
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"healthy":          {nil, good, nil},
		"nothing seen":     {nil, func(*View) {}, nil},
		"no network":       {nil, with(func(l *Link) { *l = Link{VIP: "api"} }), []string{"fault m2: no interface has a connected route that holds VIP 192.168.0.10"}},
		"missing":          {nil, with(func(l *Link) { *l = Link{VIP: "api", Name: "eth7", Missing: true} }), []string{"fault m2: there is no interface eth7"}},
		"down":             {nil, with(func(l *Link) { l.Up = false }), []string{"fault m2: interface eth0 is down"}},
		"no carrier":       {nil, with(func(l *Link) { l.Carrier = false }), []string{"fault m2: interface eth0 has no carrier"}},
		"silent":           {nil, with(func(l *Link) { l.NoARP = true }), []string{"fault m2: answers no ARP request"}},
		"of a bridge":      {nil, with(func(l *Link) { l.Part = "br0" }), []string{"fault m2: interface eth0 is a part of br0"}},
		"a failed slave":   {nil, with(func(l *Link) { l.Slaves, l.Failed = []string{"a", "b"}, []string{"b"} }), []string{"warning m2: of eth0's slaves a, b, b has no link"}},
		"another MTU":      {nil, with(func(l *Link) { l.MTU = 9000 }), []string{"warning : 1500 on m1, m3; 9000 on m2"}},
		"another network":  {nil, with(func(l *Link) { l.Network = netip.MustParsePrefix("192.168.0.0/16") }), []string{"warning : 192.168.0.0/16 on m2; 192.168.0.0/24 on m1, m3"}},
		"cloned":           {nil, with(func(l *Link) { l.Hardware = "02:00:00:00:00:10" }), []string{"fault : m1 and m2 have the same hardware address"}},
		"a witness's":      {[]string{"192.168.0.2}", "192.168.0.2, witness: true}"}, with(func(l *Link) { *l = Link{VIP: "api", MTU: 9000} }), nil},
		"without hardware": {nil, func(v *View) { good(v); v.Links[0].Hardware = "" }, nil},
	} {
		t.Run(name, func(t *testing.T) { expect(t, judgeLinks(caseOf(configOf(t, tt.replace...), tt.change)), tt.want...) })
	}
}

func TestReadSys(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{
		"/sys/class/net/bond0/bonding/mode":            "active-backup 1\n",
		"/sys/class/net/bond0/bonding/slaves":          "eth0 eth1\n",
		"/sys/class/net/eth0/bonding_slave/mii_status": "up\n",
		"/sys/class/net/eth1/bonding_slave/mii_status": "down\n",
		"/sys/class/net/eth0/address":                  "",
	})
	for link, to := range map[string]string{"eth0/master": "../bond0", "bond0/driver": "x"} {
		if err := os.Symlink(to, l.path("/sys/class/net/"+link)); err != nil {
			t.Fatal(err)
		}
	}
	bond, slave := Link{Name: "bond0"}, Link{Name: "eth0"}
	bond.readSys(l.path("/sys/class/net/bond0"), l)
	slave.readSys(l.path("/sys/class/net/eth0"), l)
	if bond.Bond != "active-backup" || !slices.Equal(bond.Slaves, []string{"eth0", "eth1"}) || !slices.Equal(bond.Failed, []string{"eth1"}) || bond.Part != "" {
		t.Errorf("%+v", bond)
	}
	if slave.Part != "bond0" || slave.Bond != "" {
		t.Errorf("%+v", slave)
	}
}
