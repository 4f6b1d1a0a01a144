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
// need. Without an image there are no pods. With [ErrNoWorker] the others are returned.
func Kit(cfg *config.Config, path, image string) ([]Text, error) {
	var texts []Text
	pod := func(folder string, role Role, cfg *config.Config) error {
		if image == "" {
			return nil
		}
		data, err := Pod(cfg, Options{Role: role, Image: image, Path: path})
		texts = append(texts, Text{folder + PodName, 0o600, data})
		return err
	}
	if err := pod("", Master, cfg); err != nil {
		return nil, err
	}
	if hasWitness(cfg) {
		if err := pod("witness/", Witness, cfg); err != nil {
			return nil, err
		}
	}
	w, err := WorkerOf(cfg, "")
	if err != nil {
		return texts, err
	}
	worker, err := w.Config()
	if err != nil {
		return nil, err
	}
	texts = append(texts, Text{"node/kshalb.yaml", 0o644, worker})
	workerConfig, err := config.Parse("node/kshalb.yaml", worker)
	if err != nil {
		return nil, fmt.Errorf("read the worker's configuration: %w", err)
	}
	return texts, pod("node/", Node, workerConfig)
}
