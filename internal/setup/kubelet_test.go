package setup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPodFolder(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"kind: KubeletConfiguration\nstaticPodPath: /etc/kubernetes/manifests\nsyncFrequency: 0s\n": "/etc/kubernetes/manifests",
		"staticPodPath: \"/srv/pods/\" # ours\n":                                                    "/srv/pods",
		"staticPodPath: \"\"\n":                                                                     "",
		"  staticPodPath: /of/something/else\n":                                                     "",
	} {
		root := t.TempDir()
		file := filepath.Join(root, kubeletConfig)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := PodFolder(root); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	if got, err := PodFolder(t.TempDir()); got != "" || err != nil {
		t.Errorf("without a kubelet: %q, %v", got, err)
	}
}
