package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/status"
)

// orderText stands below each of these commands' help.
const orderText = `

BACKEND is its ADDRESS:PORT, its address alone, or the name of a peer. What is
said holds on this node alone, over restarts too, until it is undone: each kshalb
has its own orders, so run the same on the others. kshalb status shows them, with
who said so, since when and why.`

func newDrain() *cobra.Command {
	return orderCommand("drain BACKEND", "drain", "Give a backend no new connections",
		`Drain has a backend get no new connections; those that it has go on for as long
as they like. The last backend that serves is drained with --force only.`, nil)
}

func newUndrain() *cobra.Command {
	return orderCommand("undrain BACKEND", "undrain", "Undo a drain or a maintenance",
		`Undrain undoes kshalb drain and kshalb maintenance; a weight stays as it is.`, nil)
}

func newMaintenance() *cobra.Command {
	return orderCommand("maintenance BACKEND", "maintenance", "Take a backend out of service",
		`Maintenance has a backend get no new connections and no probes; those connections
that are left after timeouts.drain are reset. kshalb undrain undoes it.`, nil)
}

func newWeight() *cobra.Command {
	return orderCommand("weight BACKEND N|default", "weight", "Change a backend's share of the new connections",
		`Weight gives a backend another share of the new connections, 0 to 256; default is
what the configuration says. With 0 it gets none; those that it has go on.`, weightOf)
}

// weightOf reads the word behind the backend.
func weightOf(text string) (*int, error) {
	if text == "default" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 256 {
		return nil, usageError{fmt.Errorf("weight: %q is no weight; give 0 to 256, or default", text)}
	}
	return &n, nil
}

// orderCommand makes a command that says something about a backend; weight, if
// there is one, reads the second argument.
func orderCommand(use, action, short, long string, weight func(string) (*int, error)) *cobra.Command {
	var socket string
	o := admin.BackendOrder{Action: action}
	args := 1
	if weight != nil {
		args = 2
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long + orderText, Args: cobra.ExactArgs(args),
		ValidArgsFunction: complete(&socket, func(n status.Node, args []string) []string { return orderArgs(n, action, args) }),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Backend, o.Who = args[0], operator()
			if weight != nil {
				if o.Weight, err = weight(args[1]); err != nil {
					return err
				}
			}
			done, err := admin.AskBackend(cmd.Context(), socket, o)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", done.Backend, cmp.Or(done.Order, "as configured"))
			for _, n := range append(done.Notes, hereOnly(cmd.Context(), socket)...) {
				fmt.Fprintln(cmd.OutOrStdout(), "note:", n)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&socket, "socket", defaultSocket, "admin socket `PATH` of the running kshalb")
	flags.StringVar(&o.Listener, "listener", "", "only for the listener of this `NAME` (default: all that have the backend)")
	// It fails for flags that there are not.
	_ = cmd.RegisterFlagCompletionFunc("listener", complete(&socket, listenerNames))
	flags.StringVar(&o.Why, "why", "", "`TEXT` for whoever wonders later")
	if action != "undrain" {
		flags.BoolVar(&o.Force, "force", false, "although it is the last backend that serves")
	}
	return cmd
}

// operator is who runs this command, as far as can be told.
func operator() string {
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// hereOnly says where else an order has to be given; nothing when this node is alone.
func hereOnly(ctx context.Context, socket string) []string {
	n, err := admin.FetchStatus(ctx, socket)
	if err != nil {
		return nil // the order is given all the same
	}
	var others []string
	for _, p := range n.Peers {
		if p.Name != n.Name && !p.Witness {
			others = append(others, p.Name)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("only %s knows of it; run the same on %s", n.Name, strings.Join(others, ", "))}
}
