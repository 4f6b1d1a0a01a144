package orders

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kshalb/kshalb/internal/state"
)

var (
	backend = netip.MustParseAddrPort("192.168.0.1:6443")
	noon    = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T, dir string) *Book {
	t.Helper()
	b, err := Open(state.Folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same compares orders by what they are, wherever their times come from.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestGive gives one order after the other, and looks at each as it is and as it is
// after a restart.
func TestGive(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct {
		action Action
		weight *int
		want   string // what holds then; an error begins with "!"
	}{
		{Undrain, nil, "!there is no such order"},
		{Weight, nil, "!there is no such order"},
		{Drain, nil, "drained"},
		{Drain, nil, "drained"},
		{Weight, nil, `!there is no such order (there is "drained" for listener a alone)`},
		{Weight, new(0), "drained, weight 0"},
		{Weight, new(256), "drained, weight 256"},
		{Weight, new(257), "!weight 257 is out of range: give one from 0 to 256"},
		{Weight, new(-1), "!weight -1 is out of range: give one from 0 to 256"},
		{Maintenance, nil, "in maintenance, weight 256"},
		{Drain, nil, "drained, weight 256"},
		{Maintenance, nil, "in maintenance, weight 256"},
		{Undrain, nil, "weight 256"},
		{Undrain, nil, `!there is no such order (there is "weight 256" for listener a alone)`},
		{"destroy", nil, `!there is no action "destroy": choose drain, undrain, maintenance or weight`},
		{Weight, nil, ""},
	} {
		b := open(t, dir)
		before := b.List()
		o, err := b.Give(step.action, Order{Listener: "a", Backend: backend, Weight: step.weight, Who: "root@m1", Why: "a new\nkernel\x1b"}, noon)
		got := o.String()
		if err != nil {
			got = "!" + err.Error()
			same(t, "after an error", b.List(), before)
		}
		if got != step.want {
			t.Errorf("%s gives %q, want %q", step.action, got, step.want)
		}
		if err == nil && (o.Who != "root@m1" || o.Why != "a new kernel" || !o.Since.Equal(noon)) {
			t.Errorf("%s: by %q since %s because %q", step.action, o.Who, o.Since, o.Why)
		}
		if b.Kept() != nil {
			t.Error(b.Kept())
		}
		same(t, "after a restart", open(t, dir).List(), b.List())
	}
	if n := len(open(t, dir).List()); n != 0 {
		t.Errorf("%d orders are left", n)
	}
}

// TestFor: a drain holds whoever it was given for, and a weight does not undo it; the
// weight for one listener comes before that for all.
func TestFor(t *testing.T) {
	type given struct {
		listener string
		action   Action
		weight   *int
	}
	for name, test := range map[string]struct {
		given []given
		want  map[string]string // by listener
	}{
		"for all":                        {[]given{{"", Drain, nil}}, map[string]string{"a": "drained by 0", "b": "drained by 0"}},
		"for one":                        {[]given{{"a", Drain, nil}}, map[string]string{"a": "drained by 0", "b": ""}},
		"a weight after a drain of all":  {[]given{{"", Drain, nil}, {"a", Weight, new(5)}}, map[string]string{"a": "drained, weight 5 by 0", "b": "drained by 0"}},
		"a weight before a drain":        {[]given{{"a", Weight, new(5)}, {"a", Drain, nil}}, map[string]string{"a": "drained, weight 5 by 1", "b": ""}},
		"weights":                        {[]given{{"", Weight, new(2)}, {"a", Weight, new(5)}}, map[string]string{"a": "weight 5 by 1", "b": "weight 2 by 0"}},
		"weights the other way":          {[]given{{"a", Weight, new(5)}, {"", Weight, new(2)}}, map[string]string{"a": "weight 5 by 0", "b": "weight 2 by 1"}},
		"maintenance of all, then drain": {[]given{{"", Maintenance, nil}, {"a", Drain, nil}}, map[string]string{"a": "in maintenance by 0", "b": "in maintenance by 0"}},
		"drain, then maintenance of all": {[]given{{"a", Drain, nil}, {"", Maintenance, nil}}, map[string]string{"a": "in maintenance by 1", "b": "in maintenance by 1"}},
		"drains":                         {[]given{{"a", Drain, nil}, {"", Drain, nil}}, map[string]string{"a": "drained by 0", "b": "drained by 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, "")
			for i, g := range test.given {
				if _, err := b.Give(g.action, Order{Listener: g.listener, Backend: backend, Weight: g.weight, Who: fmt.Sprint(i)}, noon); err != nil {
					t.Fatal(err)
				}
			}
			for listener, want := range test.want {
				o, is := b.For(listener, backend)
				got := ""
				if is {
					got = o.String() + " by " + o.Who
				}
				if got != want {
					t.Errorf("for %s: %q, want %q", listener, got, want)
				}
			}
			if _, is := b.For("a", netip.MustParseAddrPort("192.168.0.2:6443")); is {
				t.Error("there is an order for another backend")
			}
		})
	}
}

// TestWhose: what is told of a change is of whoever made it, and of what still holds
// is of whoever gave that.
func TestWhose(t *testing.T) {
	b := open(t, "")
	give := func(a Action, weight *int, who string) Order {
		o, err := b.Give(a, Order{Backend: backend, Weight: weight, Who: who, Why: "for " + who}, noon)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	give(Weight, new(3), "ann")
	give(Drain, nil, "bob")
	if o := give(Weight, new(4), "cleo"); o.Who != "cleo" || o.String() != "drained, weight 4" {
		t.Errorf("the change is told as %q by %s", o, o.Who)
	}
	if o, _ := b.For("a", backend); o.Who != "bob" || o.Why != "for bob" {
		t.Errorf("drained by %s %s", o.Who, o.Why)
	}
	give(Undrain, nil, "dora")
	if o, _ := b.For("a", backend); o.Who != "cleo" || o.String() != "weight 4" {
		t.Errorf("%q by %s", o, o.Who)
	}
}

// TestUndoOfOthers: what was given for all is not undone for one, nor the other way.
func TestUndoOfOthers(t *testing.T) {
	for _, test := range []struct{ given, undone, want string }{
		{"", "a", `there is no such order (there is "drained" for all listeners)`},
		{"a", "", `there is no such order (there is "drained" for listener a alone)`},
		{"a", "b", `there is no such order (there is "drained" for listener a alone)`},
	} {
		b := open(t, "")
		if _, err := b.Give(Drain, Order{Listener: test.given, Backend: backend}, noon); err != nil {
			t.Fatal(err)
		}
		_, err := b.Give(Undrain, Order{Listener: test.undone, Backend: backend}, noon)
		if !errors.Is(err, ErrNoOrder) || err.Error() != test.want {
			t.Errorf("given for %q, undone for %q: %v", test.given, test.undone, err)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	o, err := open(t, "").Give(Drain, Order{Backend: backend, Who: "\xff\x1b[31m", Why: strings.Repeat("ü", maxText+1)}, noon)
	if err != nil || o.Who != "? [31m" || o.Why != strings.Repeat("ü", maxText) {
		t.Errorf("%q %q, %v", o.Who, o.Why, err)
	}
}

func TestFull(t *testing.T) {
	b := open(t, "")
	for i := range maxOrders {
		at := netip.AddrPortFrom(backend.Addr(), uint16(i+1))
		if _, err := b.Give(Drain, Order{Backend: at}, noon); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Give(Drain, Order{Backend: backend}, noon); err == nil || !strings.Contains(err.Error(), "there are 1000 orders") {
		t.Errorf("one more: %v", err)
	}
	first := Order{Backend: netip.AddrPortFrom(backend.Addr(), 1)}
	for _, a := range []Action{Maintenance, Undrain} {
		if _, err := b.Give(a, first, noon); err != nil {
			t.Errorf("%s of one that is known: %v", a, err)
		}
	}
}

// TestMany: readers and writers at the same time see whole orders.
func TestMany(t *testing.T) {
	b := open(t, t.TempDir())
	var all sync.WaitGroup
	for i := range 8 {
		at := netip.AddrPortFrom(backend.Addr(), uint16(i+1))
		all.Go(func() {
			for _, a := range []Action{Drain, Maintenance, Undrain, Drain} {
				if _, err := b.Give(a, Order{Backend: at}, noon); err != nil {
					t.Error(err)
				}
				for _, o := range b.List() {
					if err := o.check(); err != nil {
						t.Error(err)
					}
				}
				b.For("a", at)
			}
		})
	}
	all.Wait()
	if n := len(open(t, string(b.file.folder)).List()); n != 8 {
		t.Errorf("%d orders are on disk", n)
	}
}
