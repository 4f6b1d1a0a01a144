package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
)

// said runs the command line in this process, and returns its exit code and
// what it wrote. It changes os.Stdout and os.Stderr, so no test here is parallel.
func said(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, err := capture(t, &os.Stdout), capture(t, &os.Stderr)
	code = run(args)
	return code, out(), err()
}

// capture replaces *f by a pipe; the function that it returns puts it back and
// says what was written.
func capture(t *testing.T, f **os.File) func() string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := *f
	*f = w
	text := make(chan string, 1)
	go func() {
		defer r.Close()
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	return func() string {
		w.Close()
		*f = old
		return <-text
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const good = `version: 1
listeners:
- {name: a, bind: 127.0.0.1, port: 6443, backends: {addresses: [192.0.2.1:6443]}, check: {type: tcp}}
`

const warned = `version: 1
cluster:
  peers: [{name: m1, address: 192.0.2.1}, {name: m2, address: 192.0.2.2}, {name: m3, address: 192.0.2.3}]
  gossip: {insecure: true}
vips: [{name: v, address: 192.0.2.10}]
listeners: [{name: a, vip: v, port: 6443, backends: {peers: true, port: 6443}, check: {type: tcp}}]
`

const bad = `version: 1
colour: red
listeners:
- {name: a, bind: 127.0.0.1, port: 70000, backends: {addresses: [192.0.2.1:6443]}, check: {type: icmp}}
`

// TestCommandLine: each mistake is one line on stderr; where stderr is "", so it
// stays, and stdout begins as given.
func TestCommandLine(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	goodFile, warnedFile := write(t, "good.yaml", good), write(t, "warned.yaml", warned)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	_, port, _ := net.SplitHostPort(busy)

	for _, test := range []struct {
		args           string
		code           int
		stderr, stdout string
	}{
		{args: "", stdout: "kshalb is one address"},
		{args: "--help", stdout: "kshalb is one address"},
		{args: "run --help", stdout: "Run serves what the configuration says"},
		{args: "version", stdout: "kshalb "},
		{args: "completion bash", stdout: "# bash completion"},
		{args: "completion tcsh", code: 2, stderr: `kshalb: unknown command "tcsh" for "kshalb completion" (see kshalb --help)`},
		{args: "check --config " + goodFile, stdout: goodFile + ": ok (0 peers, 0 VIPs, 1 listeners; digest "},
		{args: "check --config " + warnedFile, stdout: "warning: " + warnedFile + ":4: cluster.gossip.insecure: "},

		{args: "launch", code: 2, stderr: `kshalb: unknown command "launch" for "kshalb" (see kshalb --help)`},
		{args: "--colour", code: 2, stderr: "kshalb: unknown flag: --colour (see kshalb --help)"},
		{args: "run --colour", code: 2, stderr: "kshalb: unknown flag: --colour (see kshalb --help)"},
		{args: "run now", code: 2, stderr: `kshalb: unknown command "now" for "kshalb run" (see kshalb --help)`},
		{args: "version now", code: 2, stderr: `kshalb: unknown command "now" for "kshalb version" (see kshalb --help)`},
		{args: "run --config", code: 2, stderr: "kshalb: flag needs an argument: --config (see kshalb --help)"},
		{args: "run --listen 127.0.0.1:6443", code: 2, stderr: "kshalb: --listen and --backend go together (see kshalb --help)"},
		{args: "run --backend 127.0.0.1:6443", code: 2, stderr: "kshalb: --listen and --backend go together (see kshalb --help)"},
		{args: "run --listen 127.0.0.1:1 --backend 127.0.0.1:2 --config x", code: 2, stderr: "kshalb: --listen and --backend go without --config and --node (see kshalb --help)"},
		{args: "run --listen 127.0.0.1:1 --backend 127.0.0.1:2 --node x", code: 2, stderr: "kshalb: --listen and --backend go without --config and --node (see kshalb --help)"},
		{args: "run --listen localhost --backend 127.0.0.1:2", code: 2, stderr: `command line: --listen: "localhost" `},
		{args: "run --listen 127.0.0.1:1 --backend here", code: 2, stderr: `command line: --backend: "here" `},
		{args: "status -o xml", code: 2, stderr: "kshalb: --output must be text, wide or json (see kshalb --help)"},

		{args: "run --config " + gone, code: 1, stderr: "kshalb: read config: open " + gone + ": no such file or directory; name another with --config FILE"},
		{args: "check --config " + gone, code: 1, stderr: "kshalb: read config: open " + gone + ": no such file or directory; name another with --config FILE"},
		{args: "handover --socket " + gone, code: 1, stderr: "kshalb: ask " + gone + ": no such file or directory (is kshalb running, and are you root?)"},
		{args: "drain m1 --socket " + gone, code: 1, stderr: "kshalb: ask " + gone + ": no such file or directory (is kshalb running, and are you root?)"},
		{args: "handover m1 m2", code: 2, stderr: "kshalb: accepts at most 1 arg(s), received 2 (see kshalb --help)"},
		{args: "reload --socket " + gone, code: 1, stderr: "kshalb: ask " + gone + ": no such file or directory (is kshalb running, and are you root?)"},
		{args: "reload now", code: 2, stderr: `kshalb: unknown command "now" for "kshalb reload" (see kshalb --help)`},
		{args: "status --socket " + gone, code: 1, stderr: "kshalb: ask " + gone + ": no such file or directory (is kshalb running, and are you root?)"},
		{args: "run --config " + write(t, "busy.yaml", strings.ReplaceAll(good, "6443, ", port+", ")+"admin: {socket: "+gone+", http: \"\"}\n"), code: 1,
			stderr: "kshalb: listener a: listen on " + busy + ": address already in use; another process listens there"},
	} {
		t.Run(test.args, func(t *testing.T) {
			code, stdout, stderr := said(t, strings.Fields(test.args)...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.HasPrefix(stderr, test.stderr) || strings.Count(stderr, "\n") > 1 || (stderr == "") != (test.stderr == "") {
				t.Errorf("stderr %q, want one line %q", stderr, test.stderr)
			}
			if !strings.HasPrefix(stdout, test.stdout) || (stdout == "") != (test.stdout == "") {
				t.Errorf("stdout %q, want %q", stdout, test.stdout)
			}
		})
	}
}

func TestAllMistakesOfAFile(t *testing.T) {
	file := write(t, "bad.yaml", bad)
	for _, command := range []string{"check", "run"} {
		code, stdout, stderr := said(t, command, "--config", file)
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		if code != exitUsage || stdout != "" || len(lines) != 3 {
			t.Fatalf("%s: exit code %d, stdout %q, stderr:\n%s", command, code, stdout, stderr)
		}
		for i, want := range []string{file + ":2: colour: ", file + ":4: listeners[0].port: ", file + ":4: listeners[0].check.type: "} {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("%s: line %q, want %q", command, lines[i], want)
			}
		}
	}
}

func TestCheckWithWarning(t *testing.T) {
	file := write(t, "warned.yaml", warned)
	_, stdout, _ := said(t, "check", "--config", file)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[1], file+": ok (3 peers, 1 VIPs, 1 listeners; digest ") {
		t.Errorf("stdout:\n%s", stdout)
	}
}

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{"text": "level=INFO msg=hello", "json": `"msg":"hello"`} {
		var out bytes.Buffer
		cfg := config.Log{Format: format}
		handler, _ := newHandler(&out, cfg)
		log := slog.New(handler)
		log.Info("hello")
		log.Debug("quiet")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "quiet") {
			t.Errorf("%s: %s", format, &out)
		}
	}
}
