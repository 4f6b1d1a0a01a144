// Package kubeadm makes a plan of kubeadm's configuration: ClusterConfiguration,
// InitConfiguration and JoinConfiguration of v1beta1 to v1beta4, and the ConfigMap
// kubeadm-config of a cluster that runs. They know the endpoint, and at best the
// master that they are on; the others have to be told. Tokens and keys in them are
// not read. It opens nothing but what it is given.
//
// The facts about the formats are those of
// kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta3 and v1beta4.
package kubeadm
