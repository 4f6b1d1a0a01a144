package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kshalb/kshalb/bench/internal/command"
	"github.com/kshalb/kshalb/bench/internal/machine"
	"github.com/kshalb/kshalb/internal/lab"
)

func main() {
	if o, ok := orderOf(); ok {
		os.Exit(play(o))
	}
	os.Exit(enter())
}

// enter does what the command line says, and returns the exit code.
func enter() int {
	wanted, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		return 2 // said already
	}
	return command.Run(wanted.bench)
}

// options are those of the command line.
type options struct {
	rounds           int
	time             time.Duration
	only, candidates string // names, separated by commas; "" is all
	kshalb, other    string // programs and arguments
	lock             string // file
	descriptors      uint64 // that a process may have open, at most
}

func parse(args []string, out io.Writer) (options, error) {
	o := options{descriptors: maxDescriptors}
	f := flag.NewFlagSet("relay", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.rounds, "rounds", 7, "`number` of times that everything is measured")
	f.DurationVar(&o.time, "time", time.Second, "counted `time` of one measurement")
	f.StringVar(&o.only, "only", "", "`workloads` to measure, separated by commas (default all)")
	f.StringVar(&o.candidates, "candidates", "", "`names` of what to measure, separated by commas (default all that are installed)")
	f.StringVar(&o.kshalb, "kshalb", "bin/kshalb", "`program` of kshalb, and arguments for its run")
	f.StringVar(&o.other, "kshalb-b", "", "another `program` of kshalb, to be compared as kshalb-b")
	f.StringVar(&o.lock, "lock", "", "`file` to lock while measuring, for several benches to take turns")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.rounds < 1 || o.time <= 0 || f.NArg() > 0 {
		err := errors.New("-rounds and -time must be more than 0, and there are no arguments besides flags")
		fmt.Fprintln(out, err)
		return o, err
	}
	return o, nil
}

// bench runs what the options say and prints the report to out.
func (o options) bench(ctx context.Context, out, progress io.Writer) error {
	descriptors, err := raiseDescriptors(o.descriptors)
	if err != nil {
		return err
	}
	p, missing, err := o.plan(descriptors)
	if err != nil {
		return err
	}
	if lacks := lab.Missing(); len(lacks) > 0 {
		return fmt.Errorf("make hosts: %v", lacks)
	}
	b, err := newBed(descriptors)
	if err != nil {
		return err
	}
	began := machine.Describe()
	r, err := p.run(ctx, b, progress)
	err = errors.Join(err, b.lab.Close())
	if r.runs > 0 {
		report{plan: p, results: r, missing: missing, machine: began, out: out}.print()
	}
	return err
}

func (o options) plan(descriptors int) (plan, []string, error) {
	found, missing, err := candidates(o.kshalb, o.other)
	if err != nil {
		return plan{}, nil, err
	}
	p := plan{rounds: o.rounds, time: o.time}
	if p.candidates, err = choose(o.candidates, found, func(c candidate) string { return c.name }); err != nil {
		return p, nil, fmt.Errorf("-candidates: %w", err)
	}
	if p.workloads, err = choose(o.only, workloads(descriptors), func(w workload) string { return w.name }); err != nil {
		return p, nil, fmt.Errorf("-only: %w", err)
	}
	p.turns, err = machine.NewTurns(o.lock)
	return p, missing, err
}

// choose returns those of all that a list names, in the order of all.
func choose[T any](list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	wanted := strings.Split(list, ",")
	var chosen []T
	var names []string
	for _, one := range all {
		names = append(names, name(one))
		if slices.Contains(wanted, name(one)) {
			chosen = append(chosen, one)
		}
	}
	for _, w := range wanted {
		if !slices.Contains(names, w) {
			return nil, fmt.Errorf("%q is none of %s", w, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}
