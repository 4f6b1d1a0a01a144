package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// binary is the path of kshalb, built by TestMain.
var binary string

func TestMain(m *testing.M) { labtest.Main(m, labtest.Build("cmd/kshalb", &binary)) }

func TestParse(t *testing.T) {
	o, err := parse([]string{"-trials", "3", "-leases", "300ms/60ms,1s/200ms", "-only", "kill"}, io.Discard)
	want := []timing{{300 * time.Millisecond, 60 * time.Millisecond}, {time.Second, 200 * time.Millisecond}}
	if err != nil || o.trials != 3 || !slices.Equal(o.leases, want) || !o.only.MatchString("kshalb-300/kill") {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range []string{"-trials=0", "-watch=0s", "-only=(", "-leases=1s", "-leases=", "more"} {
		if _, err := parse([]string{bad}, io.Discard); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// One trial of one event, for real. What it measures depends on the build and on
// what else the machine does; that there is a figure does not.
func TestOneTrial(t *testing.T) {
	if lacks := lab.Missing(); len(lacks) > 0 {
		t.Skipf("this machine lacks what a lab needs: %v", lacks)
	}
	o, err := parse([]string{"-trials", "1", "-watch", "200ms", "-keepalived=false", "-kshalb", binary, "-leases", "500ms/100ms", "-only", "/cut-off"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out, progress strings.Builder
	if err := o.bench(t.Context(), &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	if !strings.Contains(out.String(), "| holder cut off | 1 |") {
		t.Errorf("%s\n%s", &out, &progress)
	}
}
