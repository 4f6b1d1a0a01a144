package doctor

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/status"
)

// Looker is who looks at a host.
type Looker struct {
	Config  *config.Config
	Node    string // this node among the peers; "" is none of them
	Version string

	// Root is where the host's files are; "" is /. Tests plant files elsewhere.
	Root string

	// Domains are names of the control plane to look up, besides those that the
	// host's files have.
	Domains []string
	// Lookup resolves a name that is not in /etc/hosts; nil is the host's resolver.
	// It has to end with its context.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

	// What follows is asked of the kshalb that looks, when it is one that runs; nil
	// where none does. Each is called more than once, and must not block.

	// Held says of each VIP, by its name, whether this node holds it.
	Held func() map[string]bool
	// Alive is how gossip sees the other peers, by their names: alive, dead or
	// unknown.
	Alive func() map[string]string
	// Layers are those of the fence, by the VIP's name.
	Layers func() map[string][]status.Fence
}

// path is where a file of the host is.
func (l *Looker) path(name string) string { return filepath.Join("/", l.Root, name) }

// contained reports whether this process sees a container's files and processes
// in place of its host's: then init is not the host's.
func (l *Looker) contained() bool {
	if l.Root != "" {
		return false
	}
	_, err := os.Stat("/.dockerenv")
	return err == nil || os.Getpid() == 1 || os.Getppid() == 0
}
