package main

import (
	"github.com/spf13/cobra"
)

// defaultConfig is where every node has its configuration.
const defaultConfig = "/etc/kshalb/kshalb.yaml"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "kshalb",
		Short: "A highly available load balancer for Kubernetes control planes",
		Long: `kshalb is one address in front of the API servers of a Kubernetes control
plane: a TCP proxy with health checks, and a virtual address that floats to
another master when its holder fails, never owned by two at a time.

It runs on every master and needs no API server, no etcd and no credentials.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRun(), newCheck(), newInit(), newManifest(), newDoctor(), newDrill(), newStatus(), newHandover(), newDrain(), newUndrain(), newMaintenance(), newWeight(), newReload(), newCleanup(), newDemo(), newVersion(), newDrillHelper())
	root.InitDefaultCompletionCmd()
	requireKnownArgs(root)
	return root
}

// requireKnownArgs makes a wrong number of arguments, or an unknown command, a
// mistake in usage. A command that only has others under it shows them.
func requireKnownArgs(cmd *cobra.Command) {
	validate := cmd.Args
	if validate == nil {
		validate = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := validate(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
	if !cmd.Runnable() { // else its arguments are not looked at
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		requireKnownArgs(sub)
	}
}
