package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// kshalb is the path of the program that the tests measure.
var kshalb string

func TestMain(m *testing.M) {
	if o, ok := orderOf(); ok {
		os.Exit(play(o))
	}
	labtest.Main(m, labtest.Build("cmd/kshalb", &kshalb))
}

// Every workload runs through kshalb and has all its figures. What they are is
// for a longer run to say.
func TestBench(t *testing.T) {
	labtest.New(t).Close() // skips where there can't be one
	o := options{
		rounds: 1, time: 50 * time.Millisecond, candidates: "direct,dnat,kshalb", kshalb: kshalb,
		descriptors: 3000, // and so a thousand idle connections
	}
	var out, progress bytes.Buffer
	if err := o.bench(labtest.Context(t, 2*time.Minute), &out, &progress); err != nil {
		t.Fatalf("%v\n%s%s", err, &progress, &out)
	}
	text := out.String()
	t.Log(text)
	if !strings.Contains(text, "\n0 of ") {
		t.Error("measurements were discarded")
	}
	for _, w := range measured(t, o) {
		_, section, ok := strings.Cut(text, "\n### "+report{}.title(w)+"\n")
		if !ok {
			t.Errorf("the report has no table for %s", w.name)
			continue
		}
		_, row, ok := strings.Cut(section, "\n| kshalb |")
		if row, _, _ = strings.Cut(row, "\n"); !ok || strings.Contains(row, "–") {
			t.Errorf("%s through kshalb: %q", w.name, row)
		}
	}
}

// measured are the workloads as bench has them here.
func measured(t *testing.T, o options) []workload {
	t.Helper()
	descriptors, err := raiseDescriptors(o.descriptors)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := o.plan(descriptors)
	if err != nil {
		t.Fatal(err)
	}
	return p.workloads
}

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-time", "-1s"}, {"bulk"}, {"-unknown"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
	name := func(s string) string { return s }
	if got, err := choose("b,a", []string{"a", "b", "c"}, name); err != nil || strings.Join(got, "") != "ab" {
		t.Errorf("chose %q, %v", got, err)
	}
	if _, err := choose("a,d", []string{"a", "b"}, name); err == nil {
		t.Error("an unknown name is accepted")
	}
}
