package importer

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// FuzzText: whatever a file of a kind says, what becomes of it passes `kshalb
// check`, with an address and masters told where it has none; or it is refused.
func FuzzText(f *testing.F) {
	for folder, kind := range kindOfFolder {
		names, err := filepath.Glob(folder + "/testdata/*/*.*")
		if err != nil || len(names) == 0 {
			f.Fatal(folder, names, err)
		}
		for _, name := range names {
			if data, err := os.ReadFile(name); err == nil && filepath.Base(name) != "want.txt" {
				f.Add(data, uint8(slices.Index(Kinds(), kind)))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		kind := Kinds()[int(n)%len(Kinds())]
		files := []File{{File: plan.File{Name: "fuzz", Data: data}, Kind: kind}}
		p, err := completed(t, files, plan.Input{})
		if err != nil {
			return // each kind's own target looks at it
		}
		if _, err := Text(p); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	})
}
