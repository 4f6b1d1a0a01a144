package clients

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/lab/pki"
)

func TestKubeconfig(t *testing.T) {
	ca, err := pki.NewCA("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(pki.Names{CommonName: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("ca.crt", string(ca.PEM))
	write("tok", "abcd")
	b64 := base64.StdEncoding.EncodeToString
	text := func(user string) string {
		return `{apiVersion: v1, kind: Config, current-context: c,
contexts: [{name: other, context: {cluster: x, user: x}}, {name: c, context: {cluster: k, user: u}}],
clusters: [{name: k, cluster: {server: "https://lb.kubesphere.local:6443", certificate-authority: ca.crt}}],
users: [{name: u, user: ` + user + `}]}`
	}
	cert := fmt.Sprintf("{client-certificate-data: %s, client-key-data: %s}", b64(pair.Cert), b64(pair.Key))
	got, err := LoadKubeconfig(write("config", text(cert)))
	if err != nil || got.ServerName != "lb.kubesphere.local" || len(got.Certificates) != 1 || got.CA == nil || got.Token != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = LoadKubeconfig(write("config", text("{tokenFile: tok}"))); err != nil || got.Token != "abcd" {
		t.Errorf("%+v, %v", got, err)
	}
	for want, bad := range map[string]string{
		`the current context "" is not there`:      "{}",
		"neither a client certificate nor a token": text("{exec: {command: aws}}"),
		`user u: client certificate`:               text("{client-certificate-data: eHh4, client-key-data: eHh4}"),
		`the cluster "k" is not there`:             strings.Replace(text("{token: t}"), "name: k,", "name: z,", 1),
		"needs certificate-authority":              strings.Replace(text("{token: t}"), ", certificate-authority: ca.crt", "", 1),
		"is no kubeconfig, at line 4":              text("abcd"),
		"is no kubeconfig, at line 3":              strings.Replace(text("{token: t}"), "clusters: [", "clusters: abcd #", 1),
		"is no kubeconfig":                         "{a: *abcd}",
		"has no certificate in PEM form":           strings.Replace(text("{token: t}"), "ca.crt", "tok", 1),
	} {
		if _, err := LoadKubeconfig(write("config", bad)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "abcd") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
