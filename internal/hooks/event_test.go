package hooks

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnviron(t *testing.T) {
	t.Setenv("PATH", "/bin")
	t.Setenv("HOME", "/root")
	t.Setenv("LANG", "C")
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	for _, test := range []struct {
		event Event
		want  string
	}{
		{
			Event{On: Holder, At: at, VIP: "apiserver", Address: "192.0.2.10", Change: Taken, Holder: "m1", Was: "m2", Term: 7},
			"EVENT=holder NODE=m1 TIME=2026-01-02T02:04:05.006Z VIP=apiserver REASON= CHANGE=taken ADDRESS=192.0.2.10 HOLDER=m1 WAS=m2 TERM=7" +
				" LISTENER= BACKEND= FROM= TO=",
		},
		{
			Event{On: Backend, At: at, VIP: "apiserver", Listener: "a", Backend: "192.0.2.1:6443", From: "up", To: "down", Reason: "a\x00b\n\xff"},
			"EVENT=backend NODE=m1 TIME=2026-01-02T02:04:05.006Z VIP=apiserver REASON=a_b_\ufffd CHANGE= ADDRESS= HOLDER= WAS= TERM=" +
				" LISTENER=a BACKEND=192.0.2.1:6443 FROM=up TO=down",
		},
	} {
		want := []string{"PATH=/bin", "HOME=/root", "LANG=C"}
		for word := range strings.FieldsSeq(test.want) {
			want = append(want, "KSHALB_"+strings.ReplaceAll(word, "_", " "))
		}
		if got := test.event.environ("m1"); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestOneLineIsBounded(t *testing.T) {
	if got := oneLine(strings.Repeat("ä", maxValue)); got != strings.Repeat("ä", maxValue/2) {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got := oneLine("a" + strings.Repeat("ä", maxValue)); len(got) != maxValue-1 {
		t.Errorf("half a letter: %q", got)
	}
}

func TestEventsInTheLog(t *testing.T) {
	for want, e := range map[string]Event{
		"VIP apiserver withdrawn":                {On: Holder, VIP: "apiserver", Change: Withdrawn},
		"backend 192.0.2.1:6443 of default down": {On: Backend, VIP: "apiserver", Listener: "default", Backend: "192.0.2.1:6443", From: "up", To: "down"},
	} {
		if got := e.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
