package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

func TestKeepalivedConfig(t *testing.T) {
	c, err := cluster.New(labtest.New(t), "/nonexistent")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		advert time.Duration
		equal  bool
		lines  []string
	}{
		{time.Second, false, []string{"vrrp_version 2", "priority 102", "advert_int 1", "unicast_src_ip 192.168.0.1", "192.168.0.2", "192.168.0.3", "192.168.0.10 dev eth0"}},
		{100 * time.Millisecond, true, []string{"vrrp_version 3", "priority 100", "advert_int 0.1"}},
	} {
		_, newSystem := keepalivedSetting("keepalived", want.advert).make(want.equal)
		k, err := newSystem(c)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(k.(*keepalived).config(c.Masters[0]))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range want.lines {
			if !strings.Contains(string(text), " "+line+"\n") {
				t.Errorf("no line %q in\n%s", line, text)
			}
		}
	}
}

func TestNominal(t *testing.T) {
	for advert, want := range map[time.Duration]time.Duration{
		time.Second:            3609375 * time.Microsecond,
		100 * time.Millisecond: 360937500 * time.Nanosecond,
	} {
		if got := keepalivedSetting("", advert).nominal; got != want {
			t.Errorf("%v: %v, want %v", advert, got, want)
		}
	}
}
