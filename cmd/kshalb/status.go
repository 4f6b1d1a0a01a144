package main

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
)

func newStatus() *cobra.Command {
	var socket, format string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show who holds the address, the peers and the backends",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usageError{errors.New("--output must be text or json")}
			}
			node, err := admin.FetchStatus(cmd.Context(), socket)
			if err != nil {
				return err
			}
			if format == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(node)
			}
			return node.WriteText(cmd.OutOrStdout(), time.Now())
		},
	}
	cmd.Flags().StringVar(&socket, "socket", defaultSocket, "admin socket `PATH` of the running kshalb")
	cmd.Flags().StringVarP(&format, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}
