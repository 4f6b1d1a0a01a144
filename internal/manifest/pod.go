package manifest

import (
	"bytes"
	_ "embed" // the pod's text
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/kshalb/kshalb/internal/config"
)

// Role is what a host is to kshalb.
type Role string

// The roles.
const (
	Master  Role = "master"  // has an API server, votes, and may hold a VIP
	Witness Role = "witness" // only votes
	Node    Role = "node"    // a worker: serves itself, with a configuration of [Worker]
)

// Roles are all of them.
func Roles() []Role { return []Role{Master, Node, Witness} }

// Options are what a configuration does not say of its pod.
type Options struct {
	Role  Role
	Image string
	Path  string // of the configuration on the host, absolute, in a folder that may be mounted
}

//go:embed pod.yaml.tmpl
var podText string

// Pod is the manifest of the static pod that runs kshalb with a configuration. The
// error says what keeps the two from fitting together.
func Pod(cfg *config.Config, o Options) ([]byte, error) {
	if err := o.fit(cfg); err != nil {
		return nil, err
	}
	p := pod{Options: o, cfg: cfg}
	folders, err := p.folders()
	if err != nil {
		return nil, err
	}
	p.Folders = folders
	t, err := template.New("pod").Funcs(template.FuncMap{"word": word}).Parse(podText)
	if err != nil {
		return nil, fmt.Errorf("read the pod's template: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("write the pod: %w", err)
	}
	return out.Bytes(), nil
}

// imageName is a reference as container runtimes take it, about.
var imageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$`)

// fit holds the options against the configuration.
func (o Options) fit(cfg *config.Config) error {
	voters := len(cfg.VIPs) > 0
	switch {
	case !imageName.MatchString(o.Image):
		return fmt.Errorf("image %q is no image's name; write one like kshalb/kshalb:v1.0.0", o.Image)
	case !filepath.IsAbs(o.Path):
		return fmt.Errorf("path %q of the configuration is not absolute; write one like /etc/kshalb/kshalb.yaml", o.Path)
	case o.Role == Node && voters:
		return fmt.Errorf("%s has VIPs, so it is no worker's configuration", cfg.File)
	case o.Role == Witness && !voters:
		return fmt.Errorf("%s has no VIPs, so there is nothing to vote on", cfg.File)
	case o.Role == Witness && !hasWitness(cfg):
		return fmt.Errorf("%s has no witness among cluster.peers; write one like {name: witness1, address: 192.168.0.4, witness: true}", cfg.File)
	case o.Role != Master && o.Role != Witness && o.Role != Node:
		return fmt.Errorf("there is no role %q; write master, node or witness", o.Role)
	}
	return nil
}

func hasWitness(cfg *config.Config) bool {
	for _, p := range cfg.Cluster.Peers {
		if p.Witness {
			return true
		}
	}
	return false
}

// pod is what the template is given.
type pod struct {
	Options
	Folders []folder
	cfg     *config.Config
}

// Floats reports whether the host may hold a VIP, Votes whether it takes part in the
// election.
func (p pod) Floats() bool { return p.Role == Master && p.Votes() }
func (p pod) Votes() bool  { return len(p.cfg.VIPs) > 0 }

// Host is what the host is called.
func (p pod) Host() string {
	if p.Role == Node {
		return "worker"
	}
	return string(p.Role)
}

// Hooks reports whether the configuration has some. Their folders are not mounted: one
// that has kshalb's own program in the image would hide it, and no program of a host
// runs without its libraries.
func (p pod) Hooks() bool { return len(p.cfg.Hooks) > 0 }

// listeners are those that kshalb opens on the host: a witness has none of a VIP.
func (p pod) listeners() (all []config.Listener) {
	for _, l := range p.cfg.Listeners {
		if p.Role != Witness || l.VIP == "" {
			all = append(all, l)
		}
	}
	return all
}

// Probed is where the kubelet, from the host, asks how kshalb is; nil is nowhere.
func (p pod) Probed() *netip.AddrPort {
	at := p.cfg.Admin.HTTP
	if !at.IsValid() {
		return nil
	}
	switch at.Addr() {
	case netip.IPv4Unspecified():
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case netip.IPv6Unspecified():
		at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	}
	return &at
}

// plainWord is what YAML takes for a text and nothing else: an address of IPv4, or
// what begins with a letter or a slash and has a slash, a dot or a colon in it.
var plainWord = regexp.MustCompile(`^([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[A-Za-z/][A-Za-z0-9._:@+-]*[/.:][A-Za-z0-9._/:@+-]*[A-Za-z0-9._/@+-])$`)

// word is a text as YAML, quoted if need be.
func word(v any) string {
	text := fmt.Sprint(v)
	if plainWord.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}

// releases are versions that have a tag, and so an image: not those with a number of
// commits behind it, a hash or a mark of changes.
var releases = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-(alpha|beta|rc)\.?[0-9]+)?$`)

// ErrNoImage is the error of a build that is no release.
var ErrNoImage = errors.New("no image belongs to it")

// Image is the image that belongs to a build of kshalb, by its version. Builds that are
// no release have none: ErrNoImage.
func Image(version string) (string, error) {
	if !releases.MatchString(version) {
		return "", fmt.Errorf("this kshalb is a build without a release version (%s), so %w: name one with --image, such as kshalb/kshalb:v1.0.0",
			strings.TrimSpace(version), ErrNoImage)
	}
	return "kshalb/kshalb:" + version, nil
}
