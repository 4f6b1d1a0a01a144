package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/status"
)

// three is a node with two others, a witness, and backends of all kinds.
var three = status.Node{
	Name:  "m1",
	Peers: []status.Peer{{Name: "m1"}, {Name: "m2"}, {Name: "m3"}, {Name: "w", Witness: true}},
	Listeners: []status.Listener{
		{Name: "a", Backends: []status.Backend{{Address: "10.0.0.1:1"}, {Address: "10.0.0.2:1", Order: &status.Order{Drain: true}}}},
		{Name: "b", Backends: []status.Backend{{Address: "10.0.0.1:1"}, {Address: "10.0.0.3:1", Order: &status.Order{Weight: new(3)}}}},
	},
	Orders: []status.Order{{Backend: "10.0.0.9:1", Maintenance: true}},
}

// answering serves a socket as a kshalb does, until the test ends, and returns its
// path.
func answering(t *testing.T, n status.Node, do func(admin.BackendOrder) (admin.BackendOrdered, error)) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "s")
	src := admin.Source{Status: func() status.Node { return n }, Metrics: prometheus.NewRegistry()}
	s, err := admin.Listen(admin.Config{Socket: path}, nil, admin.NewSocketHandler(src, admin.Changes{Backend: do}, log), log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return path
}

// TestOrders: what is asked for, and what is said of the answer.
func TestOrders(t *testing.T) {
	t.Setenv("SUDO_USER", "ann")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const others = "note: only m1 knows of it; run the same on m2, m3\n"
	asks := func(o admin.BackendOrder) *admin.BackendOrder { o.Who = "ann@" + host; return &o }
	for _, test := range []struct {
		args           string
		ask            *admin.BackendOrder
		code           int
		stdout, stderr string
	}{
		{"drain 10.0.0.1:1 --why cleaning", asks(admin.BackendOrder{Backend: "10.0.0.1:1", Action: "drain", Why: "cleaning"}), 0, "10.0.0.1:1: drained\nnote: n\n" + others, ""},
		{"drain m2 --listener a --force", asks(admin.BackendOrder{Backend: "m2", Listener: "a", Action: "drain", Force: true}), 0, "m2: drained\nnote: n\n" + others, ""},
		{"undrain m2", asks(admin.BackendOrder{Backend: "m2", Action: "undrain"}), 0, "m2: as configured\n" + others, ""},
		{"maintenance m2", asks(admin.BackendOrder{Backend: "m2", Action: "maintenance"}), 1, "", "kshalb: it is the last one; --force\n"},
		{"weight m2 0", asks(admin.BackendOrder{Backend: "m2", Action: "weight", Weight: new(0)}), 0, "m2: drained\nnote: n\n" + others, ""},
		{"weight m2 default", asks(admin.BackendOrder{Backend: "m2", Action: "weight"}), 0, "m2: drained\nnote: n\n" + others, ""},
		{"weight m2 257", nil, 2, "", "kshalb: weight: \"257\" is no weight; give 0 to 256, or default (see kshalb --help)\n"},
		{"weight m2 -- -1", nil, 2, "", "kshalb: weight: \"-1\" is no weight; give 0 to 256, or default (see kshalb --help)\n"},
		{"weight m2", nil, 2, "", "kshalb: accepts 2 arg(s), received 1 (see kshalb --help)\n"},
		{"drain", nil, 2, "", "kshalb: accepts 1 arg(s), received 0 (see kshalb --help)\n"},
		{"drain m1 m2", nil, 2, "", "kshalb: accepts 1 arg(s), received 2 (see kshalb --help)\n"},
		{"undrain m1 --force", nil, 2, "", "kshalb: unknown flag: --force (see kshalb --help)\n"},
	} {
		t.Run(test.args, func(t *testing.T) {
			var asked *admin.BackendOrder
			path := answering(t, three, func(o admin.BackendOrder) (admin.BackendOrdered, error) {
				asked = &o
				switch o.Action {
				case "maintenance":
					return admin.BackendOrdered{}, admin.Refuse(409, errors.New("it is the last one; --force"))
				case "undrain":
					return admin.BackendOrdered{Backend: o.Backend}, nil
				}
				return admin.BackendOrdered{Backend: o.Backend, Order: "drained", Notes: []string{"n"}}, nil
			})
			command, rest, _ := strings.Cut(test.args, " ")
			code, stdout, stderr := said(t, append([]string{command, "--socket", path}, strings.Fields(rest)...)...)
			if code != test.code || stdout != test.stdout || stderr != test.stderr {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
			if diff := cmp.Diff(test.ask, asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

// A node without others has nobody to tell.
func TestOrderOfOne(t *testing.T) {
	path := answering(t, status.Node{}, func(o admin.BackendOrder) (admin.BackendOrdered, error) {
		return admin.BackendOrdered{Backend: o.Backend, Order: "drained"}, nil
	})
	if code, stdout, stderr := said(t, "drain", "x", "--socket", path); code != 0 || stdout != "x: drained\n" || stderr != "" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestCompletion(t *testing.T) {
	path := answering(t, three, nil)
	for args, want := range map[string]string{
		"drain ":             "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.9:1",
		"drain x ":           "",
		"undrain ":           "10.0.0.2:1 10.0.0.9:1",
		"weight ":            "10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 10.0.0.9:1",
		"weight 10.0.0.1:1 ": "default",
		"drain --listener ":  "a b",
	} {
		command, rest, _ := strings.Cut(args, " ")
		line := append([]string{"__complete", command, "--socket", path}, strings.Split(rest, " ")...)
		code, stdout, _ := said(t, line...)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if got := strings.Join(lines[:len(lines)-1], " "); code != 0 || got != want {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, got, want)
		}
	}
	if code, stdout, _ := said(t, "__complete", "drain", "--socket", path+"-gone", ""); code != 0 || stdout != ":4\n" {
		t.Errorf("without a kshalb: exit code %d, %q", code, stdout)
	}
}
