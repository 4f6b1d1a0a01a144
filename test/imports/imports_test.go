// Package imports holds the rule by which the packages of kshalb import one
// another: the arrows of the house.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/kshalb/kshalb/"
	root   = "../.."
)

// driven are libraries whose types stay inside the files that drive them.
var driven = map[string][]string{
	"github.com/hashicorp/memberlist": {"pkg/election/gossip.go", "pkg/election/gossip_door.go", "pkg/election/gossip_lobby.go", "pkg/election/gossip_meta.go", "pkg/election/gossip_transport.go", "pkg/election/keyring.go"},
	"github.com/vishvananda/netlink":  {"pkg/vip/*_linux.go", "pkg/vip/internal/*/*_linux.go", "internal/lab/*.go", "internal/doctor/host_neighbours.go", "internal/doctor/port_inside.go", "internal/drill/fault/toward.go"},
	"github.com/vishvananda/netns":    {"internal/lab/*.go"},
	"github.com/google/nftables":      {"pkg/vip/*_linux.go", "pkg/vip/internal/*/*_linux.go", "internal/lab/*.go", "internal/doctor/fence_try.go", "internal/doctor/host_nftables.go", "internal/doctor/firewall_*.go", "internal/drill/fault/tables.go", "bench/relay/dnat_linux.go"},
	"github.com/mdlayher/arp":         {"pkg/vip/*_linux.go", "pkg/vip/internal/*/*_linux.go", "internal/lab/*.go", "internal/whohas/*.go"},
	"github.com/mdlayher/ethernet":    {"pkg/vip/*_linux.go", "pkg/vip/internal/*/*_linux.go", "internal/lab/*.go", "internal/whohas/*.go"},
	"github.com/mdlayher/packet":      {"pkg/vip/*_linux.go", "pkg/vip/internal/*/*_linux.go", "internal/lab/*.go", "internal/whohas/*.go"},
	"github.com/mdlayher/netlink":     {"pkg/vip/*_linux.go", "internal/app/diag.go", "internal/doctor/host_sockets.go", "internal/doctor/host_nftables.go"},
	"github.com/mdlayher/ndp":         {"pkg/vip/*_linux.go", "pkg/vip/internal/*/*_linux.go", "internal/lab/*.go", "internal/whohas/*.go"},
	"github.com/coreos/go-systemd":    {"internal/systemd/systemd.go"},
	"github.com/fxamacker/cbor":       {"pkg/election/datagram.go"},
	"go.yaml.in/yaml":                 {"internal/config/*.go", "internal/drill/clients/kubeconfig.go", "internal/importer/yamlnode/*.go", "internal/importer/plan/yaml.go"},
	"github.com/godbus/dbus":          {"internal/drill/fault/systemd.go"},
	"github.com/pires/go-proxyproto":  {"pkg/proxy/proxyproto.go"},
	"github.com/spf13/cobra":          {"cmd/kshalb/*.go"},
	"github.com/miekg/dns":            {"internal/discovery/dns.go"},
}

// TestArrows: a package of pkg/ imports no other package of this module, only
// internal/app sees more than one of them, and cmd/ sees internal/ only.
func TestArrows(t *testing.T) {
	seen := make(map[string]map[string]bool) // by importing folder: the pkg/ packages it imports
	each(t, func(file, imported string) {
		inside, ours := strings.CutPrefix(imported, module)
		folder := path.Dir(file)
		if !ours {
			checkDriven(t, file, imported)
			return
		}
		switch {
		case strings.HasPrefix(folder, "pkg/") && !within(inside, folder) && !within(folder, inside):
			t.Errorf("%s imports %s: packages of pkg/ know nothing of each other or of internal/", file, inside)
		case strings.HasPrefix(folder, "cmd/") && !strings.HasPrefix(inside, "internal/"):
			t.Errorf("%s imports %s: cmd/ has flags and exit codes only", file, inside)
		case strings.HasPrefix(inside, "cmd/"):
			t.Errorf("%s imports %s", file, inside)
		case strings.HasPrefix(inside, "internal/app") && !strings.HasPrefix(folder, "cmd/"):
			t.Errorf("%s imports %s: only cmd/ stands above it", file, inside)
		}
		if strings.HasPrefix(inside, "pkg/") && folder != inside {
			if seen[folder] == nil {
				seen[folder] = make(map[string]bool)
			}
			seen[folder][inside] = true
		}
	})
	for folder, pkgs := range seen {
		if len(pkgs) > 1 && folder != "internal/app" && !strings.HasPrefix(folder, "bench") {
			t.Errorf("%s imports %d packages of pkg/: only internal/app ties them", folder, len(pkgs))
		}
	}
}

// within reports whether folder is parent or below it.
func within(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

func checkDriven(t *testing.T, file, imported string) {
	t.Helper()
	for library, allowed := range driven {
		if !within(imported, library) {
			continue
		}
		for _, pattern := range allowed {
			if ok, err := path.Match(pattern, file); ok && err == nil {
				return
			}
		}
		t.Errorf("%s imports %s, which only %v may", file, imported, allowed)
	}
}

// each calls do for every import of every file that is not a test.
func each(t *testing.T, do func(file, imported string)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() && (rel == "tools" || rel == "test/e2e" || rel == "test/page" || strings.HasPrefix(d.Name(), ".") && rel != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			do(filepath.ToSlash(rel), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 30 {
		t.Fatalf("only %d files were read: is the tree elsewhere?", files)
	}
}
