// Package e2e has no code but tests: client-go through the VIP, in front of three
// real kube-apiservers and three etcd, while the masters fail. It is a Go module
// of its own, so that kshalb does not depend on Kubernetes. The script run builds
// what it needs and runs it; `make e2e` calls that.
package e2e
