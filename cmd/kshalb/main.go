// Command kshalb is a highly available load balancer for Kubernetes control
// planes. This package has flags and exit codes only.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or wrong configuration
	exitFaults = 3 // it ran, and found faults
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var silent exitError
	if err != nil && !errors.As(err, &silent) {
		printError(err)
	}
	return exitCode(err)
}

// printError writes the error for a person: a configuration's problems stand
// for themselves, a line each.
func printError(err error) {
	if problems := wrongConfig(err); problems != nil {
		fmt.Fprintln(os.Stderr, problems)
		return
	}
	fmt.Fprintln(os.Stderr, "kshalb:", err)
}

// wrongConfig is what err says of a configuration, read here or by the kshalb
// that was asked to; nil is nothing.
func wrongConfig(err error) error {
	if problems, ok := errors.AsType[*config.Error](err); ok {
		return problems
	}
	if told, ok := errors.AsType[*admin.BadConfig](err); ok {
		return told
	}
	return nil
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() + " (see kshalb --help)" }
func (e usageError) Unwrap() error { return e.err }

// exitError is the exit code of a command that has said all by itself.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func exitCode(err error) int {
	var said exitError
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &said):
		return int(said)
	case errors.As(err, &usage) || wrongConfig(err) != nil:
		return exitUsage
	}
	return exitFailed
}
