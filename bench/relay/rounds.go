package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kshalb/kshalb/bench/internal/machine"
)

// plan is what is to be measured.
type plan struct {
	candidates []candidate
	workloads  []workload
	rounds     int
	time       time.Duration // counted, of one measurement
	turns      *machine.Turns
}

// run measures each workload through each candidate once a round. Candidates
// stand side by side in time, in turn forward and backward, so that what else
// the machine does meets them alike. It returns what it has when ctx ends.
func (p plan) run(ctx context.Context, b *bed, progress io.Writer) (*results, error) {
	r := newResults(p.rounds)
	for round := range p.rounds {
		for i, w := range p.workloads {
			fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, p.rounds, w.name)
			order := slices.Clone(p.candidates)
			if (round+i)%2 == 1 {
				slices.Reverse(order)
			}
			if err := p.sideBySide(ctx, b, r, round, w, order); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

func (p plan) sideBySide(ctx context.Context, b *bed, r *results, round int, w workload, order []candidate) error {
	done, err := p.turns.Take(ctx)
	if err != nil {
		return err
	}
	defer done()
	for _, c := range order {
		if c.direct && w.kind == idle || c.name == nameDNAT && w.kind == idle {
			continue // the kernel's memory is not counted
		}
		figures, err := b.measure(ctx, c, w, p.time)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		r.runs++
		if err != nil {
			r.discards = append(r.discards, fmt.Sprintf("round %d: %v", round+1, err))
			continue
		}
		r.add(round, c.name, w.name, figures)
	}
	return nil
}
