package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func TestConfigsAreValid(t *testing.T) {
	c, err := New(labtest.New(t), "/nonexistent")
	if err != nil {
		t.Fatal(err)
	}
	sockets := make(map[string]bool)
	for _, m := range c.Masters {
		cfg, err := config.Load(m.ConfigFile())
		if err != nil {
			t.Fatal(err)
		}
		if len(cfg.Warnings) > 0 || cfg.VIPs[0].Address != c.VIP || len(cfg.Listeners[0].Backends) != 3 {
			t.Errorf("%s: %+v", m.Name(), cfg)
		}
		sockets[cfg.Admin.Socket] = true
		if c.Master(m.Name()) != m {
			t.Errorf("%s is not found by its name", m.Name())
		}
		if err := m.Start(); err == nil {
			t.Error("a program that is not there was started")
		}
	}
	if len(sockets) != 3 || c.Master("nobody") != nil {
		t.Errorf("sockets %v", sockets)
	}
}

func TestOptionsStandInTheConfigs(t *testing.T) {
	c, err := NewWith(labtest.New(t), "/nonexistent", Options{
		Election: "{lease: 1s, renew: 200ms}",
		Backends: "{addresses: [127.0.0.1:6443]}",
		Check:    "{type: tcp, interval: 100ms}",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(c.Masters[0].ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	l := cfg.Listeners[0]
	if cfg.Election.Lease != time.Second || l.Backends[0].Address.String() != "127.0.0.1:6443" || l.Check.Interval != 100*time.Millisecond {
		t.Errorf("%+v", cfg)
	}
}

func TestFindSeries(t *testing.T) {
	text := "# HELP a b\na{x=\"1\"} 2\na{x=\"11\"} 3.5\n"
	if v, err := findSeries(strings.NewReader(text), `a{x="11"}`); v != 3.5 || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := findSeries(strings.NewReader(text), "a"); err == nil {
		t.Error("no error for a series that is not there")
	}
}
