package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/kshalb/kshalb/bench/internal/machine"
)

// plan is what is to be measured.
type plan struct {
	settings          []setting
	events            []event
	only              *regexp.Regexp // of SETTING/EVENT
	trials, takeovers int
	watch             time.Duration
	binary            string // of kshalb
	handover          bool   // it has the command
	turns             *machine.Turns
}

// cell is all trials of one event with one setting.
type cell struct {
	event   event
	setting setting
	trials  []trial
	reasons []string // why others are missing
	none    string   // why none was to be made
}

// run makes all cells. The settings of an event stand side by side in time, so
// that what else the machine does meets them alike. It returns what it has when
// ctx ends.
func (p plan) run(ctx context.Context, progress io.Writer) ([]cell, error) {
	var cells []cell
	for _, e := range p.events {
		for _, s := range p.settings {
			if !p.only.MatchString(s.key + "/" + e.key) {
				continue
			}
			c := cell{event: e, setting: s, none: p.impossible(e, s)}
			err := p.fill(ctx, &c, progress)
			cells = append(cells, c)
			if err != nil {
				return cells, err
			}
		}
	}
	return cells, nil
}

// impossible says why an event can't be had with a setting, or nothing.
func (p plan) impossible(e event, s setting) string {
	switch {
	case e.relay && s.lease == 0:
		return "kshalb alone has that"
	case e.key == "handover" && !p.handover:
		return p.binary + " has no command handover"
	}
	return ""
}

// tries is how often in a row a trial may fail before the rest is given up.
const tries = 3

// fill makes the trials of a cell on one stand. A trial that fails leaves
// disorder, so the next one gets a new stand.
func (p plan) fill(ctx context.Context, c *cell, progress io.Writer) (err error) {
	n := p.trials
	if c.event.key == repeated {
		n = p.takeovers
	}
	if c.none != "" {
		n = 0
	}
	var st *stand
	defer func() {
		if st != nil {
			err = errors.Join(err, st.close())
		}
	}()
	for i, inRow := 0, 0; i < n; i++ {
		fmt.Fprintf(progress, "%s, %s: %d of %d\n", c.setting.title, c.event.title, i+1, n)
		t, err := p.trial(ctx, c, &st)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err == nil {
			c.trials, inRow = append(c.trials, t), 0
			continue
		}
		fmt.Fprintln(progress, err)
		c.reasons = append(c.reasons, fmt.Sprintf("trial %d: %v", i+1, err))
		if inRow++; inRow == tries {
			c.reasons = append(c.reasons, fmt.Sprintf("trials %d to %d were not made, after %d failures in a row", i+2, n, tries))
			return nil
		}
	}
	return nil
}

// trial makes one, on a new stand if there is none.
func (p plan) trial(ctx context.Context, c *cell, st **stand) (t trial, err error) {
	done, err := p.turns.Take(ctx)
	if err != nil {
		return t, err
	}
	defer done()
	if *st == nil {
		if *st, err = newStand(ctx, c.setting, c.event.equal, p.binary, p.watch); err != nil {
			*st = nil
			return t, fmt.Errorf("start the masters: %w", err)
		}
	}
	if t, err = (*st).run(ctx, c.event); err != nil {
		err = errors.Join(err, (*st).close())
		*st = nil
	}
	return t, err
}

// rows are the two windows of a cell.
func (c cell) rows() []row {
	fault := row{title: c.event.title, failed: len(c.reasons), nominal: c.setting.nominal}
	heal := row{title: "… " + c.event.healed, failed: len(c.reasons), nominal: c.setting.nominal}
	for _, t := range c.trials {
		fault.windows = append(fault.windows, t.fault)
		heal.windows = append(heal.windows, t.heal)
	}
	if c.setting.lease > 0 {
		b := c.event.bar(c.setting.lease)
		fault.bar = &b
	}
	if c.event.heal == nil {
		return []row{fault}
	}
	if c.setting.lease > 0 {
		b := c.event.healedBar(c.setting.lease)
		heal.bar = &b
	}
	return []row{fault, heal}
}
