package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/app"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/filewatch"
	"github.com/kshalb/kshalb/internal/journal"
	"github.com/kshalb/kshalb/internal/logqueue"
	"github.com/kshalb/kshalb/internal/state"
)

// maxLoops bounds --loops: more than this is a mistake.
const maxLoops = 64

// runFlags are the flags of `kshalb run`.
type runFlags struct {
	config   string
	node     string
	state    string
	listen   string
	backends []string
	loops    int

	supervised bool
	watch      bool
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve until told to stop",
		Long: `Run serves what the configuration says until SIGTERM or SIGINT. Then it hands
its addresses over and lets connections end. SIGHUP has it read the
configuration again, as kshalb reload does, and so does a change of the file.

With --listen and --backend it serves one TCP listener on this machine without
any file.`,
		Example: `  kshalb run --config /etc/kshalb/kshalb.yaml
  kshalb run --listen 127.0.0.1:6443 --backend 192.168.0.1:6443 --backend 192.168.0.2:6443`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", defaultConfig, "configuration `FILE`")
	flags.StringVar(&f.node, "node", "", "`NAME` of this node among the peers (default: found by its addresses)")
	flags.StringVar(&f.state, "state", string(state.Default), "`FOLDER` for what has to be known after a restart, made when it is missing")
	flags.StringVar(&f.listen, "listen", "", "serve on `ADDRESS:PORT` without a file")
	flags.StringArrayVar(&f.backends, "backend", nil, "send connections to `ADDRESS:PORT`; may be given several times")
	flags.IntVar(&f.loops, "loops", 0, "carry connections by `N` event loops, a thread each, 1 to 64 (default: one for each core, up to 4)")
	flags.BoolVar(&f.supervised, "supervised", false, "something starts kshalb again when it is killed, so that a drill may do so (default: found out, in a pod and under systemd)")
	flags.BoolVar(&f.watch, "watch", true, "read the configuration again when the file has changed; =false waits until told to")
	return cmd
}

func (f runFlags) run(cmd *cobra.Command) error {
	seen := filewatch.New(f.config) // before it is read: what happens from then on is noticed
	cfg, err := f.load(cmd)
	if err != nil {
		return err
	}
	lines, flush := queued(cmd.ErrOrStderr())
	defer flush()
	handler, level := newHandler(lines, cfg.Log)
	last := journal.New()
	log := slog.New(last.Handler(handler))
	asked, stop := hangups()
	defer stop()
	for _, w := range cfg.Warnings {
		log.Warn(w.String())
	}
	opts := app.Options{
		Node: f.node, Version: version(), State: f.state, Loops: f.loops,
		Hangup: asked, Level: level, Journal: last, Supervised: f.supervised,
	}
	if !f.embedded() {
		opts.Load = func() (*config.Config, error) { return config.Load(f.config) }
		if f.watch {
			changed := make(chan struct{}, 1)
			opts.Changed = changed
			go seen.Run(cmd.Context(), log, func() { changed <- struct{}{} })
		}
	}
	a, err := app.New(cfg, opts, log)
	if err != nil {
		return err
	}
	return a.Run(cmd.Context())
}

// embedded reports whether there is no configuration file.
func (f runFlags) embedded() bool { return f.listen != "" || len(f.backends) > 0 }

func (f runFlags) load(cmd *cobra.Command) (*config.Config, error) {
	switch {
	case cmd.Flags().Changed("loops") && (f.loops < 1 || f.loops > maxLoops):
		return nil, usageError{fmt.Errorf("--loops is %d: 1 to %d are possible", f.loops, maxLoops)}
	case !f.embedded():
		return config.Load(f.config)
	case cmd.Flags().Changed("config") || f.node != "":
		return nil, usageError{errors.New("--listen and --backend go without --config and --node")}
	case f.listen == "" || len(f.backends) == 0:
		return nil, usageError{errors.New("--listen and --backend go together")}
	}
	return config.Embedded(f.listen, f.backends)
}

// hangups are the SIGHUPs, which ask daemons to read their files again, until
// stop is called; from now on none ends the process.
func hangups() (asked <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// flushTimeout bounds how long the end waits for whoever reads the log.
const flushTimeout = time.Second

// queued returns a writer that never waits for w, and what passes on the rest.
func queued(w io.Writer) (lines io.Writer, flush func()) {
	q := logqueue.New(w)
	done := make(chan struct{})
	go func() { q.Run(); close(done) }()
	return q, func() {
		q.Close()
		select {
		case <-done:
		case <-time.After(flushTimeout):
		}
	}
}

// newHandler writes a log, and returns what its level can be changed with.
func newHandler(w io.Writer, cfg config.Log) (slog.Handler, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(cfg.Level)
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == config.LogJSON {
		return slog.NewJSONHandler(w, opts), level
	}
	return slog.NewTextHandler(w, opts), level
}
