// Package kubekey makes a plan of the files by which KubeKey installs clusters:
// Cluster of v1alpha1 and v1alpha2 (KubeKey 1 to 3), Inventory and Config of
// KubeKey 4, alone or together. Passwords and private keys in them are not read.
// It opens nothing but what it is given.
//
// The facts about the formats are those of github.com/kubesphere/kubekey:
// cmd/kk/apis/kubekey/v1alpha2/{cluster_types,default}.go of release-3.1,
// docs/config-example.md, and builtin/core/roles/defaults/defaults/main/03-kubernetes.yaml
// and docs/en/reference/config.md of main.
package kubekey
