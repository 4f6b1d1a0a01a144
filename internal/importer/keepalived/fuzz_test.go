package keepalived

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

const planted = "pl4nted"

// FuzzRead: whatever the files are, Read ends, says the same twice, names places
// that there are, and keeps no password. Files are separated by a NUL, and include
// each other.
func FuzzRead(f *testing.F) {
	samples, err := filepath.Glob("testdata/*/*.conf")
	if err != nil || len(samples) == 0 {
		f.Fatal(samples, err)
	}
	for _, name := range samples {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.ReplaceAll(data, []byte(planted), []byte("x")), "")
		f.Add([]byte("include *\n\x00"+string(data[:len(data)/2])+"\x00"+string(data[len(data)/2:])), "gw2")
	}
	f.Fuzz(func(t *testing.T, data []byte, host string) {
		if bytes.Contains(data, []byte(planted)) || strings.Contains(host, planted) {
			t.Skip("it has the word that is planted")
		}
		in := planting(data, host)
		p, err := Read(in)
		again, err2 := Read(in)
		if !reflect.DeepEqual(p, again) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Error("the same input, two plans")
		}
		text := fmt.Sprintf("%+v %v", p, err)
		if strings.Contains(text, planted) {
			t.Errorf("a password is in the plan: %s", text)
		}
		lines := map[string]int{}
		for _, file := range in.Files {
			lines[file.Name] = bytes.Count(file.Data, []byte("\n")) + 1
			Is(file)
		}
		places(t, reflect.ValueOf(p), lines)
	})
}

func planting(data []byte, host string) plan.Input {
	in := plan.Input{Host: host}
	all := map[string][]byte{}
	for i, part := range bytes.SplitN(data, []byte{0}, 4) {
		name := string(rune('a' + i))
		all[name] = bytes.ReplaceAll(part, []byte("auth_pass"), []byte("auth_pass "+planted))
		in.Files = append(in.Files, plan.File{Name: name, Data: all[name]})
	}
	in.Glob = glob(all)
	return in
}

var sourceType = reflect.TypeFor[plan.Source]()

// places holds every source in v against the files.
func places(t *testing.T, v reflect.Value, lines map[string]int) {
	t.Helper()
	if v.Type() == sourceType {
		s := v.Interface().(plan.Source)
		if n, ok := lines[s.File]; s != (plan.Source{}) && (!ok || s.Line < 0 || s.Line > n) {
			t.Errorf("%v is nowhere", s)
		}
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			places(t, v.Index(i), lines)
		}
	case reflect.Struct:
		if strings.HasPrefix(v.Type().PkgPath(), "net") {
			return
		}
		for _, field := range v.Fields() {
			places(t, field, lines)
		}
	default:
	}
}
