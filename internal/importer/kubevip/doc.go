// Package kubevip makes a plan of kube-vip's manifests: a static pod or a
// DaemonSet, one or several of them, from its environment and its arguments.
// Which hosts are masters does not stand there, but in those of old releases with
// raft. Passwords in them are not read. It opens nothing but what it is given.
//
// The facts about the variables and flags are those of github.com/kube-vip/kube-vip:
// pkg/kubevip/config_envvar.go, config_environment.go and cmd/kube-vip.go of main,
// and pkg/kubevip/config_generator.go of v0.3.
package kubevip
