package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/status"
)

// statusFlags are the flags of `kshalb status`.
type statusFlags struct {
	socket string
	output string
	watch  bool
}

func newStatus() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show who holds the address, the peers, the backends and the last changes",
		Long: `Show who holds the address, the peers, the backends and the last changes.

The peers are asked how they see one another, for 0.6 s at most. Lines below their
table say who gave no answer, has another configuration or version, is not ready,
or sees another holder.`,
		Example: `  kshalb status
  kshalb status -w -o wide
  kshalb status -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.socket, "socket", defaultSocket, "admin socket `PATH` of the running kshalb")
	flags.StringVarP(&f.output, "output", "o", "text", "`FORMAT`: text, wide or json")
	flags.BoolVarP(&f.watch, "watch", "w", false, "show it anew each second, until Ctrl-C")
	return cmd
}

func (f statusFlags) run(cmd *cobra.Command) error {
	if f.output != "text" && f.output != "wide" && f.output != "json" {
		return usageError{errors.New("--output must be text, wide or json")}
	}
	if f.watch {
		return f.follow(cmd.Context(), cmd.OutOrStdout())
	}
	node, err := admin.FetchCluster(cmd.Context(), f.socket)
	if err != nil {
		return err
	}
	return f.write(cmd.OutOrStdout(), node)
}

func (f statusFlags) write(w io.Writer, node status.Node) error {
	if f.output != "json" {
		return node.WriteText(w, time.Now(), status.TextOptions{Wide: f.output == "wide"})
	}
	enc := json.NewEncoder(w)
	if !f.watch { // else each on a line
		enc.SetIndent("", "  ")
	}
	return enc.Encode(node)
}

// follow shows the status each second, on a terminal in one place. A kshalb that does
// not answer may again.
func (f statusFlags) follow(ctx context.Context, out io.Writer) error {
	before := "" // of JSON each is a line
	switch {
	case f.output != "json" && isTerminal(os.Stdout):
		before = "\x1b[H\x1b[J" // home, and clear what is below (ECMA-48)
	case f.output != "json":
		before = "\n"
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var text strings.Builder
		text.WriteString(before)
		node, err := admin.FetchCluster(ctx, f.socket)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			fmt.Fprintln(os.Stderr, "kshalb:", err)
		default:
			err = f.write(&text, node)
		}
		if err == nil {
			if _, err := io.WriteString(out, text.String()); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
