package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/app"
	"github.com/kshalb/kshalb/internal/config"
)

// maxLoops bounds --loops: more than this is a mistake.
const maxLoops = 64

// runFlags are the flags of `kshalb run`.
type runFlags struct {
	config   string
	node     string
	listen   string
	backends []string
	loops    int
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve until told to stop",
		Long: `Run serves what the configuration says until SIGTERM or SIGINT. Then it hands
its addresses over and lets connections end.

With --listen and --backend it serves one TCP listener on this machine without
any file.`,
		Example: `  kshalb run --config /etc/kshalb/kshalb.yaml
  kshalb run --listen 127.0.0.1:6443 --backend 192.168.0.1:6443 --backend 192.168.0.2:6443`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd)
			if err != nil {
				return err
			}
			log := newLogger(cmd.ErrOrStderr(), cfg.Log)
			defer refuseReload(log)()
			for _, w := range cfg.Warnings {
				log.Warn(w.String())
			}
			a, err := app.New(cfg, app.Options{Node: f.node, Version: version(), Loops: f.loops}, log)
			if err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", defaultConfig, "configuration `FILE`")
	flags.StringVar(&f.node, "node", "", "`NAME` of this node among the peers (default: found by its addresses)")
	flags.StringVar(&f.listen, "listen", "", "serve on `ADDRESS:PORT` without a file")
	flags.StringArrayVar(&f.backends, "backend", nil, "send connections to `ADDRESS:PORT`; may be given several times")
	flags.IntVar(&f.loops, "loops", 0, "carry connections by `N` event loops, a thread each, 1 to 64 (default: one for each core, up to 4)")
	return cmd
}

func (f runFlags) load(cmd *cobra.Command) (*config.Config, error) {
	embedded := f.listen != "" || len(f.backends) > 0
	switch {
	case cmd.Flags().Changed("loops") && (f.loops < 1 || f.loops > maxLoops):
		return nil, usageError{fmt.Errorf("--loops is %d: 1 to %d are possible", f.loops, maxLoops)}
	case !embedded:
		return config.Load(f.config)
	case cmd.Flags().Changed("config") || f.node != "":
		return nil, usageError{errors.New("--listen and --backend go without --config and --node")}
	case f.listen == "" || len(f.backends) == 0:
		return nil, usageError{errors.New("--listen and --backend go together")}
	}
	return config.Embedded(f.listen, f.backends)
}

// refuseReload keeps SIGHUP, which asks daemons to read their files again, from
// ending this one, until stop is called.
func refuseReload(log *slog.Logger) (stop func()) {
	asked := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(asked, syscall.SIGHUP)
	go sayNoReload(asked, done, log)
	return func() {
		signal.Stop(asked)
		close(done)
	}
}

func sayNoReload(asked <-chan os.Signal, done <-chan struct{}, log *slog.Logger) {
	for {
		select {
		case <-asked:
			log.Warn("reload is not supported yet: restart to use a changed configuration")
		case <-done:
			return
		}
	}
}

func newLogger(w io.Writer, cfg config.Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
