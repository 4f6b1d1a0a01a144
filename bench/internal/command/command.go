// Package command has what the commands that measure begin with.
package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kshalb/kshalb/internal/lab"
)

// Run goes to where labs can be made (see [lab.Enter]), does the work there and
// returns the exit code. The work gets a context that a SIGINT or SIGTERM ends,
// writes its report to out, and says how far it is to progress.
func Run(work func(ctx context.Context, out, progress io.Writer) error) int {
	ran, code, err := lab.Enter()
	if ran {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err == nil {
		err = work(ctx, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
