package doctor

import (
	"errors"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

// TestLookFence tries the kernel at hand, both ways.
func TestLookFence(t *testing.T) {
	v := View{}
	if err := lookFence(t.Context(), &Looker{Config: configOf(t)}, &v); err != nil {
		t.Skipf("this process may not try: %v", err)
	}
	here := Fence{}
	err := apart(func(leave func() error) error { return errors.Join(leave(), here.tryHere(t.Context())) })
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Fence{"apart": *v.Fence, "here": here} {
		t.Logf("%s: %v %+v", name, f, f.Timed)
		if f.Lacks == "" && (!f.Timed.Opened || !f.Timed.Closed || f.Timed.Ended > f.Timed.Timeout) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestJudgeFence(t *testing.T) {
	good := func(v *View) {
		v.Fence = &Fence{Kernel: "6.18", Apart: true, Owner: true, Persist: true,
			Timed:  Timed{Timeout: fenceTimeout, Opened: true, Ended: 296 * time.Millisecond, Closed: true},
			Layers: map[string][]status.Fence{"api": {{Layer: "deadline"}, {Layer: "kernel"}, {Layer: "lifetime"}}}}
	}
	with := func(change func(f *Fence)) func(v *View) { return on("m2", good, func(v *View) { change(v.Fence) }) }
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"healthy":      {nil, good, nil},
		"nothing seen": {nil, func(*View) {}, nil},
		"no nf_tables": {nil, with(func(f *Fence) { *f = Fence{Kernel: "6.1", Lacks: "protocol not supported"} }), []string{"warning m2: has no fence: protocol not supported"}},
		"never open":   {nil, with(func(f *Fence) { f.Timed.Opened = false }), []string{"fault m2: did not open"}},
		"late":         {nil, with(func(f *Fence) { f.Timed.Ended = 301 * time.Millisecond }), []string{"fault m2: was still at work 301ms after"}},
		"never closed": {nil, with(func(f *Fence) { f.Timed.Closed = false }), []string{"fault m2: was still at work"}},
		"no egress":    {nil, with(func(f *Fence) { f.Egress = "operation not supported" }), []string{"warning m2: has no egress hook"}},
		"a layer":      {nil, with(func(f *Fence) { f.Layers["api"][1].Reason = "no table" }), []string{"warning m2: the fence of VIP api lacks something: no table"}},
		"old, flushed": {nil, with(func(f *Fence) { f.Owner, f.Persist, f.Apart = true, false, false }), nil},
		"a witness's":  {[]string{"192.168.0.2}", "192.168.0.2, witness: true}"}, with(func(f *Fence) { *f = Fence{Lacks: "all"} }), nil},
	} {
		t.Run(name, func(t *testing.T) { expect(t, judgeFence(caseOf(configOf(t, tt.replace...), tt.change)), tt.want...) })
	}
}
