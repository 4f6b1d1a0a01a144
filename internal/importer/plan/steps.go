package plan

import "fmt"

// SomeVIP stands in steps in place of an address that the file does not tell. Whoever
// knows it puts it there.
const SomeVIP = "<VIP>"

// NewCluster is how kshalb comes to a cluster that a command makes, as the guide
// and deploy/static-pods have it: manifests is kubelet's folder of static pods, and
// bootstrap whether the configuration names a first master.
func NewCluster(command, manifests string, bootstrap bool) []string {
	before := fmt.Sprintf("For a new cluster: before %s have kshalb run on every master, with its configuration and key in /etc/kshalb: `systemd-run --unit=kshalb -p Restart=always kshalb run`. The first master calls the address while it is made, and its kubelet starts no static pod before. Until API servers run their state is down, which is in order, and clients are refused at once.", command)
	change := "When all masters have joined, on one after the other: "
	if bootstrap {
		before += " Where kshalb cannot run on the other masters yet, cluster.bootstrap has the first one hold the address alone."
		change += "take cluster.bootstrap out of the configuration, "
	}
	return []string{before, change + fmt.Sprintf("stop that one (`systemctl stop kshalb`), put kshalb's static pod into %s, and wait for its /readyz.", manifests)}
}
