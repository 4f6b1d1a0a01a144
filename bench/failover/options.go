package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

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
