package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kshalb/kshalb/bench/internal/command"
	"github.com/kshalb/kshalb/bench/internal/machine"
	"github.com/kshalb/kshalb/internal/lab"
)

func main() { os.Exit(enter()) }

// enter does what the command line says, and returns the exit code.
func enter() int {
	wanted, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		return 2 // said already
	}
	return command.Run(wanted.bench)
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
