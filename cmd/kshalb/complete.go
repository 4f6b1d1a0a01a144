package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/status"
)

// complete has a shell offer what words finds in the status of the kshalb behind a
// socket; nothing when there is none.
func complete(socket *string, words func(n status.Node, args []string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		n, err := admin.FetchStatus(cmd.Context(), *socket)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(n, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// orderArgs are what may follow a command about backends and its args: the backends,
// to undrain only those that are out of service.
func orderArgs(n status.Node, action string, args []string) []string {
	switch {
	case len(args) == 1 && action == "weight":
		return []string{"default"}
	case len(args) > 0:
		return nil
	}
	var all []string
	add := func(address string, o *status.Order) {
		out := o != nil && (o.Drain || o.Maintenance)
		if (action != "undrain" || out) && !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	for _, l := range n.Listeners {
		for _, b := range l.Backends {
			add(b.Address, b.Order)
		}
	}
	for _, o := range n.Orders {
		add(o.Backend, &o)
	}
	return all
}

// listenerNames are all of them.
func listenerNames(n status.Node, _ []string) (names []string) {
	for _, l := range n.Listeners {
		names = append(names, l.Name)
	}
	return names
}
