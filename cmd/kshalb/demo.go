package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show a failover on this machine, in network namespaces",
		Long: `Demo starts three masters as network namespaces on this machine, each with a TLS
API server and kshalb, sends requests through the virtual address, and kills and
stops its holder. All figures are measured. It touches nothing of the machine's
own network and leaves nothing behind.

It runs as root, or as an ordinary user in a user namespace.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ran, code, err := lab.Enter()
			if err != nil {
				return err
			}
			if ran {
				return exitError(code)
			}
			binary, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			terminal := isTerminal(os.Stdout)
			return demo.Run(cmd.Context(), demo.Options{
				Binary: binary, Live: terminal, Color: terminal && os.Getenv("NO_COLOR") == "",
			}, cmd.OutOrStdout())
		},
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
