package e2e

import (
	"context"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/template"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

//go:embed testdata
var testdata embed.FS

// rivalPort is another than the API servers', who have theirs on all addresses.
const rivalPort = 8443

// rival is HAProxy with Keepalived.
type rival struct {
	title, setting            string
	haproxy, keepalived, curl string // programs

	mu      sync.Mutex
	running map[string][]*lab.Process // by master
}

func newRival(title, setting string) (*rival, error) {
	r := &rival{title: title, setting: setting, running: make(map[string][]*lab.Process)}
	var errs []error
	for program, path := range map[string]*string{"haproxy": &r.haproxy, "keepalived": &r.keepalived, "curl": &r.curl} {
		var err error
		*path, err = find(program)
		errs = append(errs, err)
	}
	return r, errors.Join(errs...)
}

// find looks where Debian has what only root needs, too.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	if debian, e := exec.LookPath(filepath.Join("/usr/sbin", program)); e == nil {
		return debian, nil
	}
	return "", err
}

func (r *rival) name() string { return r.title }

func (r *rival) port() uint16 { return rivalPort }

func rivalFile(m *cluster.Master, name string) string { return filepath.Join(m.Dir(), name) }

func (r *rival) start(p *controlPlane, m *cluster.Master) error {
	if err := r.configure(p, m); err != nil {
		return fmt.Errorf("configure %s on %s: %w", r.title, m.Name(), err)
	}
	haproxy, err := m.Host.Start(lab.Spec{Name: "haproxy", Path: r.haproxy, Args: []string{"-db", "-f", rivalFile(m, "haproxy.cfg")}})
	if err != nil {
		return err
	}
	keepalived, err := m.Host.Start(lab.Spec{Name: "keepalived", Path: r.keepalived, Args: []string{
		"--dont-fork", "--vrrp", "--log-console", "--log-detail", "--use-file", rivalFile(m, "keepalived.conf"),
		"--pid", rivalFile(m, "keepalived.pid"), "--vrrp_pid", rivalFile(m, "vrrp.pid"),
	}})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[m.Name()] = []*lab.Process{haproxy}
	if err == nil {
		r.running[m.Name()] = append(r.running[m.Name()], keepalived)
	}
	return err
}

// configure writes the files of a master. What the guide has in a script stands in
// keepalived.conf itself: with enable_script_security keepalived finds no script in
// a lab's files, which are mounted nowhere.
func (r *rival) configure(p *controlPlane, m *cluster.Master) error {
	number := slices.Index(p.Masters, m)
	data := map[string]any{
		"Masters": p.Masters, "Self": m, "Number": number, "Priority": 101 - number, "VIP": p.VIP,
		"Port": rivalPort, "Backends": cluster.Port,
		"Socket": rivalFile(m, "haproxy.sock"), "Curl": r.curl,
	}
	return errors.Join(
		fill("haproxy-"+r.setting+".cfg", rivalFile(m, "haproxy.cfg"), data),
		fill("keepalived-"+r.setting+".conf", rivalFile(m, "keepalived.conf"), data),
	)
}

// fill writes a file that nobody may run: keepalived takes no configuration from
// one that somebody may.
func fill(name, path string, data any) error {
	t, err := template.ParseFS(testdata, "testdata/"+name)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, data); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}

// stop has keepalived take the address away, and then kills haproxy.
func (r *rival) stop(ctx context.Context, m *cluster.Master) error {
	r.mu.Lock()
	running := slices.Clone(r.running[m.Name()])
	r.mu.Unlock()
	slices.Reverse(running)
	var errs []error
	for _, p := range running {
		errs = append(errs, p.Stop(ctx))
	}
	return errors.Join(errs...)
}

func (r *rival) ready(ctx context.Context, m *cluster.Master) error {
	r.mu.Lock()
	running := slices.Clone(r.running[m.Name()])
	r.mu.Unlock()
	for _, p := range running {
		if p.State() != nil {
			return fmt.Errorf("%s has ended: %s", p.Name(), p.Tail(500))
		}
	}
	return serversUp(ctx, rivalFile(m, "haproxy.sock"))
}

// serversUp asks haproxy for its table of states (management guide, 9.3, "show
// stat").
func serversUp(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, "show stat\n"); err != nil {
		return err
	}
	rows, err := csv.NewReader(conn).ReadAll()
	if err != nil {
		return fmt.Errorf("read haproxy's states: %w", err)
	}
	const proxy, server, status = 0, 1, 17 // columns pxname, svname, status: 9.1
	up := 0
	for _, row := range rows {
		if len(row) <= status || row[proxy] != "apiserverbackend" || row[server] == "BACKEND" {
			continue
		}
		if row[status] != "UP" {
			return fmt.Errorf("haproxy finds %s %s", row[server], row[status])
		}
		up++
	}
	if up != 3 {
		return fmt.Errorf("haproxy has %d backends, want 3", up)
	}
	return nil
}
