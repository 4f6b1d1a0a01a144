package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kshalb/kshalb/internal/importer"
	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/setup"
)

// initFlags are the flags of `kshalb init`.
type initFlags struct {
	hand    importer.Hand
	out     string
	host    string
	image   string
	install bool
	dryRun  bool
	force   bool
}

func newInit() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init [[KIND=]FILE...]",
		Short: "Make a configuration of what you have",
		Long: `Init writes kshalb.yaml, a gossip key and the static pod into a folder, and for
workers that are to have a balancer of their own the folder node. It reads what there
is of a cluster or of an older balancer, and tells what it could not carry over,
worst first. A comment behind each value says where it came from. Files are told
apart by what is in them, or by KIND: ` + strings.Join(importer.Kinds(), ", ") + `.
A FILE of - is the standard input.

What flags say holds before what files say. Without files and flags it asks, on a
terminal. Files that are there are left alone, unless --force is given; a gossip
key always is.

--install is for a master. The static pod goes where this host's kubelet starts it
when that one is part of a cluster (/var/lib/kubelet/config.yaml) and no file was
read, so that nothing else has to stop before. Else it is beside the configuration, in
` + filepath.Dir(defaultConfig) + `, and what is left to do tells when to put it there.

--dry-run prints the configuration to the standard output, and all else, each file
under its name, to the standard error.`,
		Example: `  kshalb init haproxy.cfg keepalived.conf
  kshalb init kubeadm.yaml --vip 192.168.0.10 --masters master1=192.168.0.1,master2=192.168.0.2,master3=192.168.0.3
  kshalb init --vip 192.168.0.10 --masters 192.168.0.1,192.168.0.2,192.168.0.3 --dry-run`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.hand.VIPs, "vip", nil, "floating `ADDRESS`; may be given several times")
	flags.StringSliceVar(&f.hand.Masters, "masters", nil, "the masters, each as `NAME=ADDRESS` or an address")
	flags.StringSliceVar(&f.hand.Witnesses, "witnesses", nil, "hosts that only vote, as `NAME=ADDRESS`")
	flags.IntVar(&f.hand.Port, "port", 0, "`PORT` that clients connect to (default 6443)")
	flags.StringVar(&f.hand.Interface, "interface", "", "`NAME` of the interface of the address (default: by its subnet)")
	flags.StringVar(&f.hand.Domain, "domain", "", "`NAME` by which clients call the address")
	flags.StringVar(&f.hand.Cluster, "cluster", "", "`NAME` of this cluster among others of the same network")
	flags.StringVar(&f.hand.Bootstrap, "bootstrap", "", "`NAME` of the master that holds the address before the others exist")
	flags.StringVar(&f.host, "host", "", "`NAME` of the host that the files are from, for conditions on it in keepalived.conf")
	flags.StringVar(&f.out, "out", "kshalb", "`FOLDER` to write into")
	flags.StringVar(&f.image, "image", "", "`NAME` of the pods' image (default: kshalb/kshalb with the version of this program)")
	flags.BoolVar(&f.install, "install", false, "write to where this host, a master, reads them")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be written, and write nothing")
	flags.BoolVar(&f.force, "force", false, "write over files that are there")
	return cmd
}

func (f initFlags) run(cmd *cobra.Command, args []string) error {
	if f.install && cmd.Flags().Changed("out") {
		return usageError{errors.New("--install and --out are two places; write one of them")}
	}
	if f.asks(cmd, args) {
		if err := ask(cmd.Context(), bufio.NewReader(cmd.InOrStdin()), cmd.OutOrStdout(), &f.hand); err != nil {
			return err
		}
	}
	byHand, err := f.hand.Plan()
	if err != nil {
		return usageError{err}
	}
	files, err := readFiles(cmd.InOrStdin(), args)
	if err != nil {
		return err
	}
	p, err := importer.Read(files, plan.Input{Glob: glob, Getenv: os.LookupEnv, Host: f.host}, byHand)
	if err != nil {
		return err
	}
	text, err := importer.Text(p)
	if err != nil {
		return err
	}
	kubelet := ""
	if f.install && len(args) == 0 {
		if kubelet, err = setup.PodFolder(""); err != nil {
			return err
		}
	}
	if kubelet != "" { // then no step has to come before
		p.Steps = []string{othersStep}
	}
	kit, err := f.kit(&p, text)
	if err != nil {
		return err
	}
	written := f.files(text, kit, kubelet)
	if f.dryRun {
		err := f.preview(cmd.OutOrStdout(), cmd.ErrOrStderr(), written)
		tell(cmd.ErrOrStderr(), p)
		return err
	}
	return f.write(cmd.OutOrStdout(), p, written)
}

// othersStep is what is left to do when this host, of a cluster that runs, has all.
const othersStep = "Have the same files on the other masters, one after the other; gossip.key has to be the one of this host."

// asks reports whether nothing was told, and a person is there to be asked.
func (f initFlags) asks(cmd *cobra.Command, args []string) bool {
	told := slices.ContainsFunc([]string{"vip", "masters"}, cmd.Flags().Changed)
	return len(args) == 0 && !told && isTerminal(os.Stdin) && isTerminal(os.Stdout)
}

func (f initFlags) write(out io.Writer, p plan.Plan, files []setup.File) error {
	outcomes, err := setup.Write(files, f.force)
	if err != nil {
		return err
	}
	for i, file := range files {
		fmt.Fprintf(out, "%-9s  %s\n", outcomes[i], file.Path)
	}
	tell(out, p)
	return nil
}

// tell prints what could not be carried over, and what is to be done.
func tell(out io.Writer, p plan.Plan) {
	if len(p.Notes) > 0 {
		fmt.Fprintf(out, "\nNot carried over as it was, worst first:\n")
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "  %s\n", n)
	}
	if len(p.Steps) > 0 {
		fmt.Fprintf(out, "\nWhat is left to do:\n")
	}
	for i, s := range p.Steps {
		fmt.Fprintf(out, "  %d. %s\n", i+1, s)
	}
}

// maxInput bounds a file that is read: an inventory of a thousand hosts has
// 200 KiB.
const maxInput = 1 << 20

func readFiles(in io.Reader, args []string) (files []importer.File, err error) {
	for _, arg := range args {
		kind, name, told := strings.Cut(arg, "=")
		if !told || !slices.Contains(importer.Kinds(), kind) {
			kind, name = "", arg
		}
		f := importer.File{Kind: kind}
		if name == "-" {
			f.Name = "standard input"
			f.Data, err = readAll(in)
		} else {
			f.File, err = readFile(name)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

func readFile(name string) (plan.File, error) {
	in, err := os.Open(name)
	if err != nil {
		return plan.File{}, err
	}
	defer in.Close()
	data, err := readAll(in)
	return plan.File{Name: name, Data: data}, err
}

func readAll(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = errors.New("is larger than 1 MiB; is this the right file?")
	}
	return data, err
}

// glob finds the files that another one includes.
func glob(from, pattern string) ([]plan.File, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(from), pattern)
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var files []plan.File
	for _, name := range names {
		f, err := readFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
