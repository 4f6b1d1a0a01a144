package haproxy

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer/plan"
)

func sample(t testing.TB, folder string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", folder, "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// holdSources: all that a plan says has a place in the file.
func holdSources(t *testing.T, v any, lines int) {
	t.Helper()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[plan.Source]():
			s := v.Interface().(plan.Source)
			if s != (plan.Source{}) && (s.File == "" || s.Line < 1 || s.Line > lines) {
				t.Errorf("%+v is no place", s)
			}
		case v.Kind() == reflect.Struct && v.Type().PkgPath() != "net/netip":
			for _, field := range v.Fields() {
				walk(field)
			}
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(v))
	for _, n := range v.(plan.Plan).Notes {
		if n.At.Line == 0 || n.What == "" || n.Why == "" {
			t.Errorf("a note says too little: %+v", n)
		}
	}
}

// TestAccepted: kshalb takes each listener of the samples.
func TestAccepted(t *testing.T) {
	for _, folder := range []string{
		"kubeadm", "kubeadm-2024", "kubespray", "kubekey", "kubesphere", "openshift", "openshift-probes", "runtimecfg", "k3s", "rke2", "rancher",
		"k0s", "kubeasz", "talos", "dualstack", "stats-password", "exec-4h", "allow", "parameters", "words",
	} {
		p, err := Read(inputOf(t, filepath.Join("testdata", folder)))
		if err != nil || len(p.Listeners) == 0 {
			t.Fatal(folder, err)
		}
		accepted(t, p)
	}
}

func accepted(t *testing.T, p plan.Plan) {
	t.Helper()
	for _, l := range p.Listeners {
		keys := map[string]any{"bind": l.Address.V.String(), "port": l.Port.V, "name": "unnamed"}
		set(keys, "name", l.Name)
		set(keys, "balance", l.Balance)
		set(keys, "slowStart", l.SlowStart)
		set(keys, "onDown", l.OnDown)
		set(keys, "source", l.SourceAddress)
		set(keys, "proxyProtocol", l.ProxyProtocol)
		keys["check"] = object(l.Check)
		keys["timeouts"] = object(l.Timeouts)
		keys["limits"] = object(l.Limits)
		var allow []string
		for _, a := range l.Allow {
			allow = append(allow, a.V.String())
		}
		if allow != nil {
			keys["allow"] = allow
		}
		keys["backends"] = map[string]any{"addresses": addresses(l)}
		text, err := json.Marshal(map[string]any{"version": 1, "listeners": []any{keys}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse("kshalb.yaml", text); err != nil {
			t.Errorf("kshalb does not take it: %v\n%s\n%s", err, text, dump(p))
		}
	}
}

func addresses(l plan.Listener) []any {
	var out []any
	for _, b := range l.Backends {
		one := map[string]any{"dns": b.Host, "port": b.Port}
		if addr, err := netip.ParseAddr(b.Host); err == nil {
			one = map[string]any{"address": netip.AddrPortFrom(addr, uint16(b.Port)).String()}
		}
		set(one, "weight", b.Weight)
		set(one, "backup", b.Backup)
		out = append(out, one)
	}
	return out
}

// set gives a key what a value has, if it was given.
func set[T any](keys map[string]any, key string, v plan.Value[T]) {
	if !v.Given() {
		return
	}
	keys[key] = v.V
	if d, ok := any(v.V).(time.Duration); ok {
		keys[key] = d.String()
	}
}

// object is a struct of values with the keys of kshalb.yaml.
func object(v any) map[string]any {
	keys := map[string]any{}
	s := reflect.ValueOf(v)
	for i := range s.NumField() {
		name := s.Type().Field(i).Name
		key := strings.ToLower(name[:1]) + name[1:]
		if name == "CAFile" {
			key = "caFile"
		}
		switch v := s.Field(i).Interface().(type) {
		case plan.Value[string]:
			set(keys, key, v)
		case plan.Value[int]:
			set(keys, key, v)
		case plan.Value[bool]:
			set(keys, key, v)
		case plan.Value[[]int]:
			set(keys, key, v)
		case plan.Value[time.Duration]:
			set(keys, key, v)
		}
	}
	return keys
}
