package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer"
	"github.com/kshalb/kshalb/internal/manifest"
)

// manifestFlags are the flags of `kshalb manifest`.
type manifestFlags struct {
	role     string
	config   string
	path     string
	image    string
	print    string
	masters  []string
	vip      string
	port     int
	dns      []string
	listener string
	listen   string
}

// What manifest prints.
const (
	printManifest = "manifest"
	printConfig   = "config"
)

func newManifest() *cobra.Command {
	var f manifestFlags
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print the static pod of a master, a worker or a witness",
		Long: `Manifest prints the static pod with which a kubelet runs kshalb. It is made of
the configuration that kshalb will read there: the capabilities that it takes and
no more, the folders that it reads and writes, probes where admin.http is, and as
much time for a stop as timeouts.drain needs. Make it anew when those change.

A master and a witness have the same configuration, that of --config.

A worker (--role node) has a balancer of its own on 127.0.0.1:6443, with the masters
behind it and no VIP, so that what runs there reaches the API servers whoever of them
is gone. Its configuration (--print config) is made of that of the masters, or of
--masters, --vip and --port. The list is in that file, and what DNS names stood for
last is in /var/lib/kshalb, so a worker starts with everything else down. It learns
of new masters by a name (--dns), by kshalb reload of a changed file, and, when none
of the others serves, through the VIP.

Put the file into the folder of the host's kubelet, /etc/kubernetes/manifests, with
mode 0600. A kubelet starts it only once its node has joined the cluster, and kubeadm
before 1.23 refuses to join while that folder has a file: to begin a new cluster,
start kshalb with systemd-run --unit=kshalb -p Restart=always kshalb run.`,
		Example: `  kshalb manifest --config kshalb.yaml > /etc/kubernetes/manifests/kshalb.yaml
  kshalb manifest --role node --config kshalb.yaml --print config > node/kshalb.yaml
  kshalb manifest --role node --config kshalb.yaml > node/static-pod.yaml
  kshalb manifest --role node --masters 192.168.0.1,192.168.0.2,192.168.0.3 --vip 192.168.0.10 --dns masters.example.org --print config
  kshalb manifest --role witness --image registry.example.org/kshalb:v1.0.0`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.role, "role", string(manifest.Master), "what the host is: `master, node or witness`")
	flags.StringVar(&f.config, "config", defaultConfig, "the masters' configuration `FILE`; for a node also its own")
	flags.StringVar(&f.path, "path", defaultConfig, "where the host has its configuration `FILE`")
	flags.StringVar(&f.image, "image", "", "`NAME` of the image (default: kshalb/kshalb with the version of this program)")
	flags.StringVar(&f.print, "print", printManifest, "what to print: `manifest or config`, a node's")
	flags.StringSliceVar(&f.masters, "masters", nil, "with --role node and no --config: the masters, each as `NAME=ADDRESS` or an address")
	flags.StringVar(&f.vip, "vip", "", "with --masters: `ADDRESS` behind which all masters are, for when none of them serves by its own")
	flags.IntVar(&f.port, "port", int(manifest.DefaultListen.Port()), "with --masters: `PORT` of the API servers, and of the VIP")
	flags.StringSliceVar(&f.dns, "dns", nil, "with --role node: DNS `NAME` that stands for masters too; may be given several times")
	flags.StringVar(&f.listener, "listener", "", "with --role node: `NAME` of the masters' listener to serve (default: that of the API servers)")
	flags.StringVar(&f.listen, "listen", manifest.DefaultListen.String(), "with --role node: `ADDRESS:PORT` for clients of the host")
	return cmd
}

func (f manifestFlags) run(cmd *cobra.Command) error {
	if err := f.usage(cmd.Flags().Changed); err != nil {
		return usageError{err}
	}
	cfg, text, err := f.read()
	if err != nil {
		return err
	}
	if f.print == printManifest {
		if f.image == "" {
			if f.image, err = manifest.Image(version()); err != nil {
				return usageError{err}
			}
		}
		text, err = manifest.Pod(cfg, manifest.Options{Role: manifest.Role(f.role), Image: f.image, Path: f.path})
		if err != nil {
			return err
		}
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// usage refuses flags that mean nothing together.
func (f manifestFlags) usage(given func(flag string) bool) error {
	node := f.role == string(manifest.Node)
	for _, flag := range []string{"masters", "vip", "port", "dns", "listener", "listen"} {
		if given(flag) && !node {
			return fmt.Errorf("--%s goes with --role node", flag)
		}
	}
	for _, flag := range []string{"vip", "port"} {
		if given(flag) && !given("masters") {
			return fmt.Errorf("--%s goes with --masters; a configuration tells it by itself", flag)
		}
	}
	switch {
	case !slices.Contains(manifest.Roles(), manifest.Role(f.role)):
		return fmt.Errorf("--role %q: write one of %v", f.role, manifest.Roles())
	case f.print != printManifest && f.print != printConfig:
		return fmt.Errorf("--print %q: write %s or %s", f.print, printManifest, printConfig)
	case f.print == printConfig && !node:
		return errors.New("--print config goes with --role node; the others have the configuration of --config itself")
	case given("masters") && (given("config") || given("listener")):
		return errors.New("--masters goes without --config and --listener; write one or the other")
	case f.port < 1 || f.port > 65535:
		return fmt.Errorf("--port %d: write 1 to 65535", f.port)
	}
	return nil
}

// read is the configuration of the host. A worker's comes with its text.
func (f manifestFlags) read() (cfg *config.Config, text []byte, err error) {
	if len(f.masters) == 0 {
		cfg, err = config.Load(f.config)
		if err != nil || f.role != string(manifest.Node) {
			return cfg, nil, err
		}
		if len(cfg.VIPs) == 0 && f.print == printManifest {
			return cfg, nil, nil // the worker's own
		}
	}
	w, err := f.worker(cfg)
	if err != nil {
		return nil, nil, err
	}
	if text, err = w.Config(); err != nil {
		return nil, nil, err
	}
	cfg, err = config.Parse(f.path, text)
	return cfg, text, err
}

func (f manifestFlags) worker(masters *config.Config) (w manifest.Worker, err error) {
	if masters != nil {
		w, err = manifest.WorkerOf(masters, f.listener)
	} else {
		w, err = f.told()
	}
	if err != nil {
		return w, err
	}
	w.Names = manifest.Names(f.dns, w.Port())
	if w.Listen, err = netip.ParseAddrPort(f.listen); err != nil {
		return w, usageError{fmt.Errorf("--listen %q: write ADDRESS:PORT, such as %s", f.listen, manifest.DefaultListen)}
	}
	return w, nil
}

// told is the worker of masters that were told by flags.
func (f manifestFlags) told() (manifest.Worker, error) {
	h := importer.Hand{Masters: f.masters}
	if f.vip != "" {
		h.VIPs = []string{f.vip}
	}
	p, err := h.Plan()
	if err != nil {
		return manifest.Worker{}, usageError{err}
	}
	return manifest.WorkerFrom(p, f.port), nil
}
