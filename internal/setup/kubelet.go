package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// kubeletConfig is where kubeadm writes the configuration of a host's kubelet when
// its node joins a cluster. Packages bring the kubelet and its folders without it.
const kubeletConfig = "/var/lib/kubelet/config.yaml"

var staticPodPath = regexp.MustCompile(`(?m)^staticPodPath:[ \t]*["']?(/[^\s"'#]+)`)

// PodFolder is where the kubelet of this host reads static pods: "" while its node has
// not joined a cluster. root stands before all paths; it is "" but for tests.
func PodFolder(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, kubeletConfig))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the kubelet's folder of static pods: %w", err)
	}
	found := staticPodPath.FindSubmatch(text)
	if found == nil {
		return "", nil
	}
	return filepath.Clean(string(found[1])), nil
}
