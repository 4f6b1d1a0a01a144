package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
)

func newReload() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running kshalb read its configuration again",
		Long: `Reload has the kshalb that runs on this host read its configuration again, as
SIGHUP does, and says what has changed. All of the new configuration is put into
force, or nothing: what is wrong, or can't change while kshalb runs, is named.

What can change: cluster.peers, by one voter at a time; the keys in
cluster.gossip.keyFile; vips[].priorities and vips[].preempt;
listeners[].backends.addresses; log.level.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := admin.AskReload(cmd.Context(), socket)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, c := range done.Changes {
				fmt.Fprintln(out, c)
			}
			if len(done.Changes) == 0 {
				fmt.Fprintln(out, "nothing has changed")
			}
			for _, n := range done.Notes {
				fmt.Fprintln(out, "note:", n)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&socket, "socket", defaultSocket, "admin socket `PATH` of the running kshalb")
	return cmd
}
