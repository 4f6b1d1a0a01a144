package main

import (
	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/drill/fault"
)

// newDrillHelper is what a kshalb that is to stand still starts of itself.
func newDrillHelper() *cobra.Command {
	return &cobra.Command{
		Use:    fault.HelperCommand,
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE:   func(_ *cobra.Command, args []string) error { return fault.Helper(args) },
	}
}
