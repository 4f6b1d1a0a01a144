package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
)

func newReload() *cobra.Command {
	var socket string
	var dry bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running kshalb read its configuration again",
		Long: `Reload has the kshalb that runs on this host read its configuration again, as
SIGHUP does, and says what has changed. All of the new configuration is put into
force, or nothing: what is wrong, or can't change while kshalb runs, is named.

What can change: everything of listeners; cluster.peers, by one voter at a time;
the keys in cluster.gossip.keyFile; vips[].priorities and vips[].preempt;
log.level. A listener is known by its name. Connections go on, but for those of
listeners that are gone or have moved to another port, which have
timeouts.drain to end.

kshalb run also reloads by itself when the file changes.`,
		Example: `  kshalb reload --dry-run
  kshalb reload`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := admin.AskReload(cmd.Context(), socket, dry)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, c := range done.Changes {
				fmt.Fprintln(out, c)
			}
			switch {
			case len(done.Changes) == 0 && dry:
				fmt.Fprintln(out, "nothing would change")
			case len(done.Changes) == 0:
				fmt.Fprintln(out, "nothing has changed")
			}
			for _, n := range done.Notes {
				fmt.Fprintln(out, "note:", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would change or is in the way, and change nothing")
	cmd.Flags().StringVar(&socket, "socket", defaultSocket, "admin socket `PATH` of the running kshalb")
	return cmd
}
