package doctor

import "testing"

func TestJudgeEtcd(t *testing.T) {
	member := func(v *View) {
		v.Etcd, v.APIServer = &Etcd{Where: "etcd (process 1)"}, &APIServer{Where: "x", Etcd: []string{"127.0.0.1:2379"}}
	}
	none := func(v *View) { v.Etcd = &Etcd{} }
	outside := func(servers ...string) func(v *View) {
		return func(v *View) { v.Etcd, v.APIServer = &Etcd{}, &APIServer{Where: "x", Etcd: servers} }
	}
	witness := []string{"192.168.0.3}", "192.168.0.3, witness: true}"}
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"three":               {nil, member, nil},
		"two":                 {nil, on("m3", member, none), []string{"warning : etcd runs on m1, m2: 2"}},
		"two and a stranger":  {nil, on("m3", member, func(v *View) { *v = View{Node: v.Node} }), []string{"unseen : etcd runs on m1, m2; whether on m3 was not seen"}},
		"two and a witness":   {witness, on("m3", member, func(v *View) { *v = View{Node: v.Node} }), []string{"warning : etcd runs on m1, m2: 2"}},
		"none":                {nil, none, nil},
		"nothing seen":        {nil, func(*View) {}, nil},
		"outside":             {nil, outside("10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"), nil},
		"an even one outside": {nil, outside("10.0.0.1:2379", "10.0.0.2:2379"), []string{"warning : the API servers use 10.0.0.1:2379, 10.0.0.2:2379: 2"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, judgeEtcd(caseOf(configOf(t, tt.replace...), tt.change)), tt.want...) })
	}
}

func TestLookEtcd(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{"/etc/kubernetes/manifests/etcd.yaml": "- etcd\n- --name=m1\n"})
	if e := looked(t, l, lookEtcd).Etcd; e.Where != "/etc/kubernetes/manifests/etcd.yaml" {
		t.Errorf("%+v", e)
	}
}
