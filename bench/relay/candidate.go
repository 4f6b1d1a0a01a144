package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
)

// candidate is one way from the client to the server.
type candidate struct {
	name    string
	version string // of the program, for the report
	// start puts it in place and returns what takes it away again, and the
	// process, nil where there is none.
	start func(*bed) (*lab.Process, func() error, error)
	// direct is true when the client goes to the server itself.
	direct bool
}

// The names of candidates that others are compared with.
const (
	nameDirect  = "direct"
	nameDNAT    = "dnat"
	nameKshalb  = "kshalb"
	nameOther   = "kshalb-b"
	nameGuide   = "haproxy-guide"
	nameTuned   = "haproxy-tuned"
	nameNginx   = "nginx"
	installThem = "apt-get install haproxy nginx-light libnginx-mod-stream"
)

// candidates returns those that this machine has the programs of, and what is
// missing for others. kshalb and other are a program's path and arguments,
// other may be "".
func candidates(kshalb, other string) (found []candidate, missing []string, err error) {
	found = []candidate{direct(), dnat()}
	for _, k := range []struct{ name, command string }{{nameKshalb, kshalb}, {nameOther, other}} {
		if k.command == "" {
			continue
		}
		c, err := ofKshalb(k.name, k.command)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, c)
	}
	for _, look := range []func() ([]candidate, error){haproxies, nginxes} {
		c, err := look()
		if err != nil {
			missing = append(missing, fmt.Sprintf("%v: %s", err, installThem))
		}
		found = append(found, c...)
	}
	return found, missing, nil
}

func direct() candidate {
	nothing := func(*bed) (*lab.Process, func() error, error) { return nil, func() error { return nil }, nil }
	return candidate{name: nameDirect, version: "no balancer", direct: true, start: nothing}
}

// program is a candidate that is a program with one configuration file.
type program struct {
	name, version, path string
	config              string // in configs/
	module              string // of nginx, see setting
	arguments           func(file string) []string
}

func (p program) candidate() candidate {
	return candidate{name: p.name, version: p.version, start: p.start}
}

func (p program) start(b *bed) (*lab.Process, func() error, error) {
	set := b.setting()
	set.Module = p.module
	text, err := set.render(p.config)
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(b.balancer.Dir(), p.config)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, nil, fmt.Errorf("write a configuration: %w", err)
	}
	process, err := b.play(b.balancer, order{Role: "balancer", Run: append([]string{p.path}, p.arguments(file)...)})
	if err != nil {
		return nil, nil, err
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return process.Stop(ctx)
	}
	return process, stop, nil
}

// ofKshalb is kshalb as `run` serves; command may have arguments behind its path.
func ofKshalb(name, command string) (candidate, error) {
	f := strings.Fields(command)
	path, err := filepath.Abs(f[0])
	if err != nil {
		return candidate{}, err
	}
	out, err := exec.Command(path, "version").Output()
	if err != nil {
		return candidate{}, fmt.Errorf("ask %s for its version: %w; build it (make build) or name another one (-kshalb PATH)", f[0], err)
	}
	version, _, _ := strings.Cut(string(out), "\n")
	if len(f) > 1 {
		version += " with " + strings.Join(f[1:], " ")
	}
	arguments := func(file string) []string { return append([]string{"run", "--config", file}, f[1:]...) }
	return program{name, version, path, "kshalb.yaml", "", arguments}.candidate(), nil
}

func haproxies() ([]candidate, error) {
	path, err := exec.LookPath("haproxy")
	if err != nil {
		return nil, errors.New("haproxy is not installed")
	}
	out, err := exec.Command(path, "-v").Output()
	if err != nil {
		return nil, fmt.Errorf("ask haproxy for its version: %w", err)
	}
	version, _, _ := strings.Cut(string(out), " - ")
	arguments := func(file string) []string { return []string{"-db", "-f", file} } // in the foreground
	return []candidate{
		program{nameGuide, version, path, nameGuide + ".cfg", "", arguments}.candidate(),
		program{nameTuned, version, path, nameTuned + ".cfg", "", arguments}.candidate(),
	}, nil
}

func nginxes() ([]candidate, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return nil, errors.New("nginx is not installed")
	}
	out, err := exec.Command(path, "-V").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ask nginx for its version: %w", err)
	}
	version, _, _ := strings.Cut(string(out), "\n")
	module, err := streamModule(string(out))
	if err != nil {
		return nil, err
	}
	arguments := func(file string) []string {
		return []string{"-p", filepath.Dir(file), "-c", file, "-e", "stderr"}
	}
	return []candidate{program{nameNginx, version, path, "nginx.conf", module, arguments}.candidate()}, nil
}

// streamModule finds nginx's stream module by what it says about its build.
func streamModule(built string) (string, error) {
	dir := "/usr/lib/nginx/modules"
	for f := range strings.FieldsSeq(built) {
		switch key, value, _ := strings.Cut(f, "="); {
		case f == "--with-stream":
			return "", nil
		case key == "--modules-path":
			dir = value
		}
	}
	module := filepath.Join(dir, "ngx_stream_module.so")
	if _, err := os.Stat(module); err != nil {
		return "", errors.New("nginx has no stream module")
	}
	return module, nil
}
