package manifest

import (
	"fmt"
	"io/fs"

	"github.com/kshalb/kshalb/internal/config"
)

// Text is one of the files that a new cluster needs.
type Text struct {
	Name string // below a folder, for whose hosts it is
	Mode fs.FileMode
	Data []byte
}

// PodName is the name of a manifest that no kubelet has read yet.
const PodName = "static-pod.yaml"

// Kit are the files for a cluster whose masters have the configuration cfg, at path on
// each host: the masters' pod, that of witnesses if there are some, and what workers
// need. Without an image there are no pods.
func Kit(cfg *config.Config, path, image string) ([]Text, error) {
	w, err := WorkerOf(cfg, "")
	if err != nil {
		return nil, err
	}
	worker, err := w.Config()
	if err != nil {
		return nil, err
	}
	workerConfig, err := config.Parse("node/kshalb.yaml", worker)
	if err != nil {
		return nil, fmt.Errorf("read the worker's configuration: %w", err)
	}
	texts := []Text{{"node/kshalb.yaml", 0o644, worker}}
	if image == "" {
		return texts, nil
	}
	for _, p := range []struct {
		name string
		role Role
		cfg  *config.Config
		want bool
	}{
		{PodName, Master, cfg, true},
		{"witness/" + PodName, Witness, cfg, hasWitness(cfg)},
		{"node/" + PodName, Node, workerConfig, true},
	} {
		if !p.want {
			continue
		}
		data, err := Pod(p.cfg, Options{Role: p.role, Image: image, Path: path})
		if err != nil {
			return nil, err
		}
		texts = append(texts, Text{p.name, 0o600, data})
	}
	return texts, nil
}
