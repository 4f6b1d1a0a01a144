package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/drill"
	"github.com/kshalb/kshalb/internal/drill/clients"
)

// drillFlags are the flags of `kshalb drill`.
type drillFlags struct {
	config     string
	socket     string
	vip        string
	kinds      []string
	hold       time.Duration
	kubeconfig string
	noWire     bool
	yes        bool
	output     string
}

func newDrill() *cobra.Command {
	var f drillFlags
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Prove the failover of this cluster, by trying it",
		Long: `Drill has the holder of the address hand it over, and then fail: its kshalb ends
(kill), stands still (pause), or its host hears nobody and is heard by nobody
(cut). Meanwhile clients on this host ask through the address: one connects anew
every 20 ms, one keeps its connection, one only listens. It tells for how long
each had no answer, against what the configuration promises, and whether two
nodes ever answered for the address at the same time.

It runs on one of the masters, best on one that does not hold the address, as
root. It asks first. Faults undo themselves, also when nobody is left to ask;
in the end the address is back where it was. It exits with 3 when a promise was
not kept.`,
		Example: `  kshalb drill
  kshalb drill --kind handover --yes
  kshalb drill --kind kill,pause,cut --kubeconfig /etc/kubernetes/admin.conf`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", defaultConfig, "configuration `FILE`")
	flags.StringVar(&f.socket, "socket", "", "admin socket `PATH` of the running kshalb (default: the configuration's)")
	flags.StringVar(&f.vip, "vip", "", "`NAME` of the address (default: the first that has a listener)")
	flags.StringSliceVar(&f.kinds, "kind", nil, "what to try, of `KINDS` handover, kill, pause, cut (default: all that can be undone here)")
	flags.DurationVar(&f.hold, "hold", drill.DefaultHold, "how long a pause or a cut lasts, 1s to 1m")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` with credentials for a real watch (default: an idle connection)")
	flags.BoolVar(&f.noWire, "no-wire", false, "do not look who answers for the address (which needs CAP_NET_RAW)")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.StringVarP(&f.output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

func (f drillFlags) run(cmd *cobra.Command) error {
	if f.output != "text" && f.output != "json" {
		return usageError{fmt.Errorf("-o %s: write text or json", f.output)}
	}
	cfg, err := config.Load(f.config)
	if err != nil {
		return err
	}
	if f.socket == "" {
		f.socket = cfg.Admin.Socket
	}
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	d, err := drill.New(cfg, admin.Drills(f.socket), o)
	if err != nil {
		return usageError{err}
	}
	words, err := d.Prepare(cmd.Context())
	if err != nil {
		return err
	}
	if err := f.consent(cmd, words); err != nil {
		return err
	}
	report, err := d.Run(cmd.Context())
	if told := f.tell(cmd, report); told != nil || err != nil {
		return errors.Join(err, told)
	}
	if report.Faults() {
		return exitError(exitFaults)
	}
	return nil
}

func (f drillFlags) options(cmd *cobra.Command) (o drill.Options, err error) {
	o = drill.Options{VIP: f.vip, Hold: f.hold, NoWire: f.noWire, Tell: func(words string) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s  %s\n", time.Now().Format("15:04:05"), words)
	}}
	for _, k := range f.kinds {
		o.Kinds = append(o.Kinds, drill.Kind(k))
	}
	if f.kubeconfig != "" {
		if o.Credentials, err = clients.LoadKubeconfig(f.kubeconfig); err != nil {
			return o, fmt.Errorf("read the kubeconfig: %w", err)
		}
	}
	return o, nil
}

// consent asks a person, unless --yes has said it.
func (f drillFlags) consent(cmd *cobra.Command, words string) error {
	out := cmd.ErrOrStderr() // the report is the output
	fmt.Fprintln(out, words)
	if f.yes {
		return nil
	}
	if !isTerminal(os.Stdin) {
		return usageError{errors.New("nobody is there to be asked; --yes does it without, nothing was done")}
	}
	answer, err := question(cmd.Context(), bufio.NewReader(cmd.InOrStdin()), out, "Do it (yes or no)", "")
	if err != nil {
		return err
	}
	if a := strings.ToLower(answer); a != "yes" && a != "y" {
		return errors.New("nothing was done")
	}
	return nil
}

func (f drillFlags) tell(cmd *cobra.Command, r *drill.Report) error {
	if f.output == "text" {
		return r.WriteText(cmd.OutOrStdout())
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}
