package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/kshalb/kshalb/bench/internal/machine"
	"github.com/kshalb/kshalb/internal/lab"
)

func main() { os.Exit(enter()) }

// enter goes to where labs can be made, and returns the exit code.
func enter() int {
	wanted, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		return 2 // said already
	}
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
		err = wanted.bench(ctx, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// options are those of the command line.
type options struct {
	trials, takeovers int
	watch             time.Duration
	only              *regexp.Regexp
	leases            []timing
	kshalb, lock      string
	keepalived        bool
}

// timing is a lease and how often it is renewed.
type timing struct{ lease, renew time.Duration }

func parse(args []string, out io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("failover", flag.ContinueOnError)
	f.SetOutput(out)
	f.IntVar(&o.trials, "trials", 15, "`number` of trials of each event")
	f.IntVar(&o.takeovers, "takeovers", 50, "`number` of takeovers in a row")
	f.DurationVar(&o.watch, "watch", 2*time.Second, "`time` of service without a break that ends a window")
	only := f.String("only", "", "`regexp` of SETTING/EVENT to measure, such as kshalb-500/kill (default all)")
	leases := f.String("leases", "1s/200ms,500ms/100ms", "`leases` of kshalb with their renewals; 300ms/60ms is the fast setting")
	f.StringVar(&o.kshalb, "kshalb", "bin/kshalb", "`program` of kshalb")
	f.StringVar(&o.lock, "lock", "", "`file` to lock for each trial, for several benches to take turns")
	f.BoolVar(&o.keepalived, "keepalived", true, "measure keepalived too, where it is installed")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := o.check(*only, *leases, f.NArg())
	if err != nil {
		fmt.Fprintln(out, err)
	}
	return o, err
}

func (o *options) check(only, leases string, args int) (err error) {
	if o.trials < 1 || o.takeovers < 1 || o.watch <= 0 || args > 0 {
		return errors.New("-trials, -takeovers and -watch must be more than 0, and there are no arguments besides flags")
	}
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	o.leases, err = parseLeases(leases)
	return err
}

// parseLeases takes a list such as 1s/200ms,500ms/100ms.
func parseLeases(list string) ([]timing, error) {
	var all []timing
	for one := range strings.SplitSeq(list, ",") {
		lease, renew, _ := strings.Cut(one, "/")
		l, errLease := time.ParseDuration(lease)
		r, errRenew := time.ParseDuration(renew)
		if err := errors.Join(errLease, errRenew); err != nil {
			return nil, fmt.Errorf("-leases: %q is not like 500ms/100ms: %w", one, err)
		}
		all = append(all, timing{l, r})
	}
	return all, nil
}

// bench runs what the options say and prints the report to out.
func (o options) bench(ctx context.Context, out, progress io.Writer) error {
	if lacks := lab.Missing(); len(lacks) > 0 {
		return fmt.Errorf("make hosts: %v", lacks)
	}
	p, missing, err := o.plan()
	if err != nil {
		return err
	}
	began := machine.Describe()
	cells, err := p.run(ctx, progress)
	if len(cells) > 0 {
		report{plan: p, cells: cells, missing: missing, machine: began, out: out}.print()
	} else if err == nil {
		err = fmt.Errorf("-only %q matches nothing such as %s/%s", o.only, p.settings[0].key, p.events[0].key)
	}
	return err
}

func (o options) plan() (p plan, missing []string, err error) {
	binary, err := filepath.Abs(o.kshalb)
	if err != nil {
		return p, nil, err
	}
	p = plan{events: events(), only: o.only, trials: o.trials, takeovers: o.takeovers, watch: o.watch, binary: binary}
	if p.handover, err = (&kshalb{binary: binary}).knows("handover"); err != nil {
		return p, nil, err
	}
	for _, t := range o.leases {
		p.settings = append(p.settings, kshalbSetting(binary, t.lease, t.renew))
	}
	program, err := findKeepalived()
	switch {
	case !o.keepalived:
		missing = append(missing, "keepalived, by -keepalived=false")
	case err != nil:
		missing = append(missing, fmt.Sprintf("keepalived: %v; apt-get install keepalived", err))
	default:
		for _, advert := range []time.Duration{time.Second, 100 * time.Millisecond} {
			p.settings = append(p.settings, keepalivedSetting(program, advert))
		}
	}
	p.turns, err = machine.NewTurns(o.lock)
	return p, missing, err
}

// findKeepalived looks where Debian has it, too: not all users have that in PATH.
func findKeepalived() (string, error) {
	const debian = "/usr/sbin/keepalived"
	program, err := exec.LookPath("keepalived")
	if err == nil {
		return program, nil
	}
	if _, e := os.Stat(debian); e == nil {
		return debian, nil
	}
	return "", err
}
