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
	text := short(t, options{candidates: nameKshalb})
	for _, w := range measured(t, options{candidates: nameKshalb}) {
		hasRow(t, text, w, nameKshalb)
	}
}

// The ways that are no process are there too.
func TestBenchWithoutBalancer(t *testing.T) {
	o := options{candidates: "direct,dnat,kshalb", only: "requests-64"}
	text := short(t, o)
	for _, w := range measured(t, o) {
		for _, name := range []string{nameDirect, nameDNAT, nameKshalb} {
			hasRow(t, text, w, name)
		}
	}
	if !strings.Contains(text, "| 200 B ↔ 1 KiB, 64 connections | per second | dnat | ≥ 0.75 × |") {
		t.Error("the bar against dnat is not judged")
	}
}

// short returns the report of one short round.
func short(t *testing.T, o options) string {
	t.Helper()
	labtest.New(t).Close() // skips where there can't be one
	o.rounds, o.time, o.kshalb = 1, 50*time.Millisecond, kshalb
	o.descriptors = fewDescriptors
	var out, progress bytes.Buffer
	err := o.bench(labtest.Context(t, 2*time.Minute), &out, &progress)
	t.Logf("%s%s", &progress, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\n0 of ") {
		t.Error("measurements were discarded")
	}
	return out.String()
}

// fewDescriptors are enough for a thousand idle connections.
const fewDescriptors = 3000

// hasRow makes sure that a candidate has a figure of a workload, and kshalb all.
func hasRow(t *testing.T, text string, w workload, name string) {
	t.Helper()
	_, section, ok := strings.Cut(text, "\n### "+report{}.title(w)+"\n")
	if !ok {
		t.Errorf("the report has no table for %s", w.name)
		return
	}
	section, _, _ = strings.Cut(section, "\n### ")
	_, row, ok := strings.Cut(section, "\n| "+name+" |")
	row, _, _ = strings.Cut(row, "\n")
	if !ok || name == nameKshalb && strings.Contains(row, "–") {
		t.Errorf("%s through %s: %q", w.name, name, row)
	}
}

// measured are the workloads as bench has them here.
func measured(t *testing.T, o options) []workload {
	t.Helper()
	o.kshalb = kshalb
	p, _, err := o.plan(fewDescriptors)
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
