package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/config"
)

func newCheck() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration, and name everything that is wrong with it",
		Long: `Check reads a configuration as run does and names every mistake by its line.
It opens nothing and changes nothing. It exits with 2 when there is a mistake.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, w := range cfg.Warnings {
				fmt.Fprintln(out, "warning:", w)
			}
			fmt.Fprintf(out, "%s: ok (%d peers, %d VIPs, %d listeners; digest %s)\n",
				file, len(cfg.Cluster.Peers), len(cfg.VIPs), len(cfg.Listeners), cfg.Digest())
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", defaultConfig, "configuration `FILE`")
	return cmd
}
