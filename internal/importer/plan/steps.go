package plan

import (
	"fmt"
	"path"
)

// SomeVIP stands in steps in place of an address that the file does not tell. Whoever
// knows it puts it there.
const SomeVIP = "<VIP>"

// NewCluster is how kshalb comes to a cluster that a command makes, as the guide
// and deploy/static-pods have it. manifests is kubelet's folder of static pods, "" the
// usual one, and bootstrap says whether the configuration names a first master. A
// kubelet starts static pods only when its node has joined, and kubeadm join before
// Kubernetes 1.23 refuses that folder when it is not empty (kubernetes/kubernetes pull
// request 104942).
func NewCluster(command, manifests string, bootstrap bool) []string {
	if manifests == "" {
		manifests = "/etc/kubernetes/manifests"
	}
	before := fmt.Sprintf("For a new cluster: before %s have kshalb run on every master, with kshalb.yaml and gossip.key in /etc/kshalb: `systemd-run --unit=kshalb -p Restart=always kshalb run`."+
		" The first master calls the address while it is made, and its kubelet starts no static pod before. Until API servers run their state is down, which is in order, and clients are refused at once.", command)
	change := "When all masters have joined, change over to the static pod, one master after the other: "
	if bootstrap {
		before += " Where kshalb cannot run on the other masters yet, cluster.bootstrap has the first one hold the address alone."
		change += "take cluster.bootstrap out of kshalb.yaml, "
	}
	return []string{before, change + fmt.Sprintf("`systemctl stop kshalb`, `install -m 0600 static-pod.yaml %s`, then wait for /readyz."+
		" Not earlier: kubeadm before 1.23 refuses to join while that folder has a file.", path.Join(manifests, "kshalb.yaml"))}
}

// RunningCluster is the step of starting kshalb on the masters of a cluster that runs.
func RunningCluster() string {
	return "For a cluster that runs: have kshalb.yaml and gossip.key in /etc/kshalb of every master, run kshalb doctor there, and then `install -m 0600 static-pod.yaml /etc/kubernetes/manifests/kshalb.yaml` on one after the other."
}
