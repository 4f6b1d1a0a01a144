package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

func TestLoadCAs(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	good, junk := write("ca.crt", ca.PEM), write("junk.crt", []byte("no certificate\n"))
	missing := filepath.Join(dir, "missing.crt")

	for name, test := range map[string]struct {
		file, clusterCA string
		verifies        bool
		err, log        string
	}{
		"the cluster's":             {clusterCA: good, verifies: true},
		"the named one":             {file: good, clusterCA: junk, verifies: true},
		"the cluster's is missing":  {clusterCA: missing, log: "are not verified: there is no check.caFile and no " + missing},
		"the cluster's is junk":     {clusterCA: junk, err: junk + " has no certificate in PEM form"},
		"the named one is missing":  {file: missing, clusterCA: good, err: missing + ": no such file"},
		"the named one is junk":     {file: junk, clusterCA: good, err: junk + " has no certificate in PEM form"},
		"the named one is a folder": {file: dir, clusterCA: good, err: "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			roots, err := loadCAs(config.Check{CAFile: test.file}, test.clusterCA, slog.New(slog.NewTextHandler(&log, nil)))
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if (roots != nil) != test.verifies {
				t.Errorf("roots %v", roots)
			}
			if !strings.Contains(log.String(), test.log) || strings.Count(log.String(), "\n") > 1 || (test.log == "") != (log.Len() == 0) {
				t.Errorf("log %q, want %q", log.String(), test.log)
			}
		})
	}
}
