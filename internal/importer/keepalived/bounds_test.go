package keepalived

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// TestBounds: what few bytes ask for ends soon, one way or the other.
func TestBounds(t *testing.T) {
	const half = maxFile / 64
	instances := &strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(instances, "vrrp_instance I%d {\n@a priority 1\n@b priority 1\nvirtual_ipaddress {\n10.%d.%d.1\n}\n}\n", i, i/250, i%250)
	}
	for name, text := range map[string]string{
		"definitions in definitions": "$A=x \\\n$B\n$B=y \\\n$C \\\n$C\n$C=z \\\n$A \\\n$A\n$A\n",
		"a definition used often":    "$A=x \\\n" + strings.Repeat("@n y \\\n", half/7) + "\n" + strings.Repeat("$A\n", half/3),
		"includes of includes":       strings.Repeat("include *\n", half/10),
		"open braces":                strings.Repeat("{", half),
		"braces in lines":            strings.Repeat(strings.Repeat("{", 4000)+"\n", 8),
		"variables in a line":        strings.Repeat(strings.Repeat("${", 2000)+"\n", 8),
		"quotes":                     strings.Repeat(`'"`, half),
		"passwords":                  strings.Repeat("password\n", half/9),
		"one long line":              "$A=" + strings.Repeat("$A ", half),
		"a growing line":             "$A=aaaaaaaa$B$B$B\n$B=$C$C$C$C\n$C=${D}${D}${D}${D}\n$D=${A}\n" + strings.Repeat("$A\n", 1000),
		"many instances":             instances.String(),
		"many servers": "virtual_server_group g {\n" + strings.Repeat("10.0.0.0/26 1\n", 100) + "}\nvirtual_server group g {\nprotocol TCP\n" +
			strings.Repeat("real_server 10.1.1.1 1 {\n}\n", 1000) + "}\n",
		"a wide range": "virtual_server_group g {\n::/1 1\n}\nvirtual_server group g {\nprotocol TCP\nreal_server 10.1.1.1 1 {\n}\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := plan.File{Name: "a", Data: []byte(text)}
			Is(f)
			p, err := Read(plan.Input{Files: []plan.File{f}, Glob: glob(map[string][]byte{"a": f.Data, "b": []byte("x\n")})})
			if err == nil && len(p.Notes) == 0 {
				t.Error("nothing was said")
			}
		})
	}
}
