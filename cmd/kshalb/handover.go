package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/status"
)

// defaultSocket is where a running kshalb is asked.
const defaultSocket = "/run/kshalb/kshalb.sock"

func newHandover() *cobra.Command {
	var socket, vip string
	cmd := &cobra.Command{
		Use:   "handover [NODE]",
		Short: "Give addresses from the node that holds them to another one",
		Long: `Handover gives every address that this node holds, or the one named with --vip,
whichever node holds it, to NODE, or to the node that is best able to hold it. A
node that holds nothing and knows of one address has its holder give that. It
waits until the old holder knows of the new one, 5s at most.`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return candidates(cmd, args, socket), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			node := strings.Join(args, "")
			here, err := admin.FetchStatus(cmd.Context(), socket)
			if err != nil {
				return err
			}
			vips, err := held(here, vip)
			if err != nil {
				return err
			}
			var errs []error
			for _, v := range vips {
				h, err := admin.AskHandover(cmd.Context(), socket, v, node)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %s -> %s in %d ms (term %d)\n", h.VIP, h.From, h.To, h.Milliseconds, h.Term)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringVar(&socket, "socket", defaultSocket, "admin socket `PATH` of the running kshalb")
	cmd.Flags().StringVar(&vip, "vip", "", "hand the VIP of this `NAME` over, whoever holds it (default: all that this node holds)")
	return cmd
}

// held are the names of the VIPs that the node holds, or the one of that name, or
// the only one that there is.
func held(n status.Node, vip string) ([]string, error) {
	if len(n.VIPs) == 0 {
		return nil, errors.New("hand over: this kshalb has no VIP")
	}
	known := func(v status.VIP) bool { return v.Name == vip }
	if vip != "" && !slices.ContainsFunc(n.VIPs, known) {
		return nil, fmt.Errorf("hand %s over: there is no such VIP here", vip)
	}
	var names, elsewhere []string
	for _, v := range n.VIPs {
		switch {
		case vip != "" && !known(v):
		case v.Holder == n.Name, v.Holder != "" && (vip != "" || len(n.VIPs) == 1):
			names = append(names, v.Name)
		case v.Holder == "":
			elsewhere = append(elsewhere, v.Name+" has no holder that it knows of")
		default:
			elsewhere = append(elsewhere, v.Name+" is held by "+v.Holder)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("hand over: %s holds nothing: %s; --vip names one that another node holds", n.Name, strings.Join(elsewhere, ", "))
	}
	return names, nil
}

// candidates are the nodes that a handover may be to, for shells.
func candidates(cmd *cobra.Command, args []string, socket string) []string {
	n, err := admin.FetchStatus(cmd.Context(), socket)
	if err != nil || len(args) > 0 {
		return nil
	}
	var names []string
	for _, p := range n.Peers {
		if !p.Witness {
			names = append(names, p.Name)
		}
	}
	return names
}
