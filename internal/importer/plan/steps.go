package plan

import "path"

// NewCluster are the steps of starting kshalb for a cluster that does not exist yet.
// installer is what makes it, as in "`kk create cluster`"; manifests is the kubelets'
// folder of static pods, "" the usual one. A kubelet starts static pods only when its
// node has joined, and kubeadm join before Kubernetes 1.23 refuses that folder when it
// is not empty (kubernetes/kubernetes pull request 104942).
func NewCluster(installer, manifests string) []string {
	if manifests == "" {
		manifests = "/etc/kubernetes/manifests"
	}
	pod := path.Join(manifests, "kshalb.yaml")
	return []string{
		"For a new cluster: have kshalb run on every master before " + installer + ", with kshalb.yaml and gossip.key in /etc/kshalb: `systemd-run --unit=kshalb kshalb run`." +
			" Until API servers run their state is down, which is in order, and clients are refused at once." +
			" Where kshalb cannot run on the other masters so early, cluster.bootstrap has to name the first one.",
		"When all masters have joined, change over to the static pod, one master after the other: `systemctl stop kshalb`, `install -m 0600 static-pod.yaml " + pod + "`, then wait for /readyz." +
			" Not earlier: a kubelet starts static pods only when its node has joined, and kubeadm before 1.23 refuses to join while that folder has a file.",
	}
}

// RunningCluster is the step of starting kshalb on the masters of a cluster that runs.
func RunningCluster() string {
	return "For a cluster that runs: have kshalb.yaml and gossip.key in /etc/kshalb of every master, run kshalb doctor there, and then `install -m 0600 static-pod.yaml /etc/kubernetes/manifests/kshalb.yaml` on one after the other."
}
