package doctor

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestFollow(t *testing.T) {
	tcp := condition{of: fieldProto, ranges: [][2]uint32{{unix.IPPROTO_TCP, unix.IPPROTO_TCP}}}
	port := func(from, to uint32) condition { return condition{of: fieldPort, ranges: [][2]uint32{{from, to}}} }
	state := func(bits uint32) condition { return condition{of: fieldState, ranges: [][2]uint32{{bits, 0}}} }
	odd := condition{}
	r := func(do string, c ...condition) rule { return rule{conditions: c, do: do} }
	to := func(do, name string, c ...condition) rule { return rule{conditions: c, do: do, to: name} }
	others := map[string]chain{
		"drops":   {rules: []rule{r(actDrop)}},
		"returns": {rules: []rule{r(actReturn, tcp), r(actDrop)}},
		"empty":   {},
		"round":   {rules: []rule{to(actJump, "round")}},
	}
	for name, tt := range map[string]struct {
		drops bool
		rules []rule
		want  fate
	}{
		"no rules":                    {false, nil, goesOn},
		"a policy":                    {true, nil, dropped},
		"let in":                      {true, []rule{r(actAccept, tcp, port(6443, 6443))}, accepted},
		"let in, one of a range":      {true, []rule{r(actAccept, port(6000, 7000))}, accepted},
		"another port":                {true, []rule{r(actAccept, port(22, 22))}, dropped},
		"all but that port":           {true, []rule{r(actAccept, condition{of: fieldPort, not: true, ranges: [][2]uint32{{6443, 6443}}})}, dropped},
		"dropped before":              {false, []rule{r(actDrop, port(6443, 6443)), r(actAccept)}, dropped},
		"let in before":               {false, []rule{r(actAccept), r(actDrop)}, accepted},
		"of old connections":          {true, []rule{r(actAccept, state(1<<1|1<<2))}, dropped},
		"of new ones":                 {true, []rule{r(actAccept, state(1<<1|ctNew))}, accepted},
		"may be let in":               {true, []rule{r(actAccept, odd)}, mayDrop},
		"may be dropped":              {false, []rule{r(actDrop, odd)}, mayDrop},
		"may be dropped, then let in": {true, []rule{r(actDrop, odd), r(actAccept)}, mayDrop},
		"does not concern it":         {true, []rule{r(actDrop, odd, port(22, 22)), r(actAccept)}, accepted},
		"in by that link":             {true, []rule{r(actAccept, condition{of: fieldLink, links: []string{"lo", "eth*"}})}, accepted},
		"in by another":               {true, []rule{r(actAccept, condition{of: fieldLink, links: []string{"lo"}})}, dropped},
		"jumps":                       {false, []rule{to(actJump, "drops")}, dropped},
		"may jump":                    {false, []rule{to(actJump, "drops", odd)}, mayDrop},
		"jumps and comes back":        {false, []rule{to(actJump, "returns"), r(actAccept)}, accepted},
		"goes and is at the policy":   {true, []rule{to(actGoto, "empty"), r(actAccept)}, dropped},
		"returns early":               {true, []rule{r(actReturn), r(actAccept)}, dropped},
		"may return early":            {true, []rule{r(actReturn, odd), r(actAccept)}, mayDrop},
		"something odd is done":       {true, []rule{r(actOdd), r(actAccept)}, mayDrop},
		"only logged":                 {false, []rule{r(actNone, tcp)}, goesOn},
		"round and round":             {false, []rule{to(actJump, "round")}, mayDrop},
		"IPv6 is dropped":             {false, []rule{r(actDrop, condition{of: fieldFamily, ranges: [][2]uint32{{6, 6}}})}, goesOn},
		"IPv4 is dropped":             {false, []rule{r(actDrop, condition{of: fieldFamily, ranges: [][2]uint32{{4, 4}}})}, dropped},
	} {
		tb := table{chains: others}
		w := walk{proto: unix.IPPROTO_TCP, port: 6443, state: ctNew, link: "eth0"}
		if got := tb.follow(chain{drops: tt.drops, rules: tt.rules}, w); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestJudgeFirewall(t *testing.T) {
	base := func(v *View) { v.Firewall = &Firewall{Chains: 3} }
	blocks := func(managers []string, all ...Block) func(v *View) {
		return on("m2", base, func(v *View) { v.Firewall = &Firewall{Managers: managers, Blocks: all} })
	}
	clients := Block{Table: "inet filter", Chain: "input", What: "clients of listener api", Port: 26443, Proto: "tcp", Sure: true}
	gossip := Block{Table: "inet filter", Chain: "input", What: "gossip", Port: 7946, Proto: "udp", Sure: true}
	unsure, invalid := clients, clients
	unsure.Sure, invalid.Invalid = false, true
	for name, tt := range map[string]struct {
		change func(v *View)
		want   []string
	}{
		"healthy": {base, nil},
		"dropped": {blocks(nil, clients, gossip), []string{"fault m2: drops or rejects tcp port 26443 (clients of listener api), udp port 7946 (gossip)"}},
		"unsure":  {blocks(nil, unsure), []string{"unseen m2: may hold back tcp port 26443"}},
		"invalid": {blocks(nil, invalid), []string{"warning m2: drops what conntrack calls invalid, also to tcp port 26443"}},
		"legacy":  {on("m2", base, func(v *View) { v.Firewall.Legacy = []string{"filter of ip_tables"} }), []string{"unseen m2: filter of ip_tables"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, judgeFirewall(caseOf(configOf(t), tt.change)), tt.want...) })
	}
	for managers, want := range map[string]string{
		"firewalld": "firewall-cmd --permanent --add-port=26443/tcp; firewall-cmd --reload; nft list chain inet filter input",
		"ufw":       "ufw allow 26443/tcp; nft list chain inet filter input",
		"":          "nft insert rule inet filter input tcp dport 26443 accept; nft list chain inet filter input",
	} {
		got := judgeFirewall(caseOf(configOf(t), blocks([]string{managers}, clients)))
		if mend := worst(got).Mend; mend != want {
			t.Errorf("%s: %s", managers, mend)
		}
	}
}

func worst(all []Finding) Finding {
	sortFindings(all)
	return all[0]
}
