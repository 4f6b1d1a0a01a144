package doctor

import "testing"

func TestJudgeVoters(t *testing.T) {
	for name, tt := range map[string]struct {
		replace []string
		want    []string
	}{
		"three":       {nil, nil},
		"a witness":   {[]string{"192.168.0.3}", "192.168.0.3, witness: true}"}, nil},
		"one":         {[]string{"  - {name: m2, address: 192.168.0.2}\n  - {name: m3, address: 192.168.0.3}\n", ""}, []string{"warning : 1 voters, 1 of which"}},
		"two":         {[]string{"  - {name: m3, address: 192.168.0.3}\n", ""}, []string{"warning : 2 voters"}},
		"four":        {[]string{"vips:", "  - {name: m4, address: 192.168.0.4}\nvips:"}, []string{"warning : 4 voters, 4 of which may hold a VIP; 1 may fail"}},
		"one master":  {[]string{"192.168.0.3}", "192.168.0.3, witness: true}", "192.168.0.2}", "192.168.0.2, witness: true}"}, []string{"warning : 3 voters, 1 of which"}},
		"no election": {[]string{"vips: [{name: api, address: 192.168.0.10}]\n", "", "vip: api", "bind: 127.0.0.1", "port: 6443, b", "port: 8443, b", "  - {name: m3, address: 192.168.0.3}\n", ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := configOf(t, tt.replace...)
			got := judgeVoters(Case{Config: cfg})
			expect(t, got, tt.want...)
			if len(got) != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}
