package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/manifest"
	"github.com/kshalb/kshalb/internal/setup"
)

// kit are the manifests that belong to the masters' configuration, and what workers
// need. A build that has no image makes no pods; that is a step of the plan then.
func (f initFlags) kit(p *plan.Plan, text []byte) ([]manifest.Text, error) {
	cfg, err := config.Parse("kshalb.yaml", text)
	if err != nil {
		return nil, err
	}
	image := f.image
	if image == "" {
		if image, err = manifest.Image(version()); err != nil {
			p.Steps = append([]string{fmt.Sprintf("Make the static pods with `kshalb manifest --image NAME`, or give --image here: %v.", manifest.ErrNoImage)}, p.Steps...)
		}
	}
	kit, err := manifest.Kit(cfg, defaultConfig, image)
	if errors.Is(err, manifest.ErrNoWorker) {
		p.Note(plan.Lost, plan.Source{File: "kshalb manifest"}, "the workers' files", err.Error())
		return kit, nil
	}
	return kit, err
}

// files are all that is to be written, the configuration first and the masters' pod last: a kubelet that finds it
// finds the rest, too.
func (f initFlags) files(text []byte, kit []manifest.Text, kubelet string) []setup.File {
	folder := f.out
	if f.install {
		folder = filepath.Dir(defaultConfig)
	}
	files := []setup.File{
		{Path: filepath.Join(folder, "kshalb.yaml"), Mode: 0o644, Data: text},
		{Path: filepath.Join(folder, "gossip.key"), Mode: 0o600, Data: setup.NewKey(), Keep: true},
	}
	var last []setup.File
	for _, k := range kit {
		file := setup.File{Path: filepath.Join(folder, k.Name), Mode: k.Mode, Data: k.Data}
		switch {
		case k.Name != manifest.PodName && f.install: // another host's
		case k.Name != manifest.PodName:
			files = append(files, file)
		default:
			if kubelet != "" {
				file.Path = filepath.Join(kubelet, "kshalb.yaml")
			}
			last = append(last, file)
		}
	}
	return append(files, last...)
}

// preview prints what would be written: the configuration alone on out, all else
// on rest.
func (f initFlags) preview(out, rest io.Writer, files []setup.File) error {
	for i, file := range files {
		switch {
		case file.Keep:
			fmt.Fprintf(rest, "\n==> %s: a new key, unless there is one <==\n", file.Path)
		case i == 0:
			fmt.Fprintf(rest, "==> %s <==\n", file.Path)
			if _, err := out.Write(file.Data); err != nil {
				return err
			}
		default:
			fmt.Fprintf(rest, "\n==> %s <==\n%s", file.Path, file.Data)
		}
	}
	return nil
}
