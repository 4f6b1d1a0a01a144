package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/app"
	"github.com/kshalb/kshalb/internal/config"
)

func newCleanup() *cobra.Command {
	return &cobra.Command{
		Use:   "cleanup",
		Short: "Remove the addresses and rules that a killed kshalb left on this host",
		Long: `Cleanup removes what a killed kshalb left on this host: addresses and nftables
tables that carry its mark, and nothing else. run does the same when it starts.
It refuses, and touches nothing, while a kshalb on this host holds an address.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			handler, _ := newHandler(cmd.ErrOrStderr(), config.Log{Level: slog.LevelInfo})
			log := slog.New(handler)
			return app.Cleanup(log)
		},
	}
}
