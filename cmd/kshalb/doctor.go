package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/doctor"
	"github.com/kshalb/kshalb/internal/status"
)

// doctorFlags are the flags of `kshalb doctor`.
type doctorFlags struct {
	config  string
	node    string
	socket  string
	domains []string
	output  string
	all     bool
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with this host and its peers",
		Long: `Doctor looks at this host, and has the kshalb that runs here ask its peers what
they see. It tells what was seen, why it matters and what mends it, worst first.
It changes nothing and takes some seconds. Before kshalb runs it looks at this
host alone; run it on each host then.

It runs as root. It exits with 3 when there is a fault.`,
		Example: `  kshalb doctor
  kshalb doctor --config kshalb/kshalb.yaml --domain lb.kubesphere.local`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", defaultConfig, "configuration `FILE`")
	flags.StringVar(&f.node, "node", "", "`NAME` of this node among the peers (default: found by its addresses)")
	flags.StringVar(&f.socket, "socket", "", "admin socket `PATH` of the running kshalb (default: the configuration's)")
	flags.StringSliceVar(&f.domains, "domain", nil, "`NAME` of the control plane, besides those that are found; may be given several times")
	flags.StringVarP(&f.output, "output", "o", "text", "`FORMAT`: text or json")
	flags.BoolVar(&f.all, "all", false, "tell what is fine, too")
	return cmd
}

func (f doctorFlags) run(cmd *cobra.Command) error {
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
	if f.node == "" {
		f.node = nodeOf(cfg)
	}
	findings := doctor.Judge(f.look(cmd.Context(), cfg))
	if err := cmd.Context().Err(); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	if err := f.tell(cmd, findings); err != nil {
		return err
	}
	if doctor.Faults(findings) {
		return exitError(exitFaults)
	}
	return nil
}

// nodeOf is this host's name among the peers; "" is none of them.
func nodeOf(cfg *config.Config) string {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var local []netip.Addr
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			local = append(local, p.Addr())
		}
	}
	self, err := cfg.Self("", local)
	if err != nil {
		return "" // it is looked at all the same, as a host beside the cluster
	}
	return self.Name
}

// look looks at this host while the peers look at theirs.
func (f doctorFlags) look(ctx context.Context, cfg *config.Config) doctor.Case {
	type answer struct {
		admin.Views
		err error
	}
	asked := make(chan answer, 1)
	go func() {
		views, err := admin.AskViews(ctx, f.socket, f.domains)
		asked <- answer{views, err}
	}()
	c := doctor.Case{Config: cfg, Self: f.node, Views: make(map[string]doctor.View), Lost: make(map[string]string)}
	own := f.looker(ctx, cfg).Look(ctx)
	peers := <-asked
	maps.Copy(c.Views, peers.Views.Views)
	c.Asked = peers.Asked
	c.Views[f.node] = own
	for _, p := range cfg.Cluster.Peers {
		switch why, lost := peers.Lost[p.Name]; {
		case p.Name == f.node:
		case peers.err != nil:
			c.Lost[p.Name] = "not asked: " + peers.err.Error()
		case lost:
			c.Lost[p.Name] = why
		}
	}
	return c
}

// looker looks at this host, with what the kshalb that runs here says of itself.
func (f doctorFlags) looker(ctx context.Context, cfg *config.Config) *doctor.Looker {
	l := &doctor.Looker{Config: cfg, Node: f.node, Version: version(), Domains: f.domains}
	here, err := admin.FetchStatus(ctx, f.socket)
	if err != nil {
		return l
	}
	held, layers, alive := make(map[string]bool), make(map[string][]status.Fence), make(map[string]string)
	for _, v := range here.VIPs {
		held[v.Name], layers[v.Name] = v.State == "holding", v.Fence
	}
	for _, p := range here.Peers {
		if p.State != "self" {
			alive[p.Name] = p.State
		}
	}
	l.Held = func() map[string]bool { return held }
	l.Layers = func() map[string][]status.Fence { return layers }
	l.Alive = func() map[string]string { return alive }
	return l
}

func (f doctorFlags) tell(cmd *cobra.Command, findings []doctor.Finding) error {
	out := cmd.OutOrStdout()
	if f.output == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false) // people read it
		return enc.Encode(map[string]any{"findings": findings})
	}
	return doctor.Text(out, findings, doctor.TextOptions{All: f.all, Color: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""})
}
