package keepalived

import (
	"errors"
	"net/netip"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var (
	errNone    = errors.New("no file was given; give a keepalived.conf")
	errNothing = errors.New("there is no vrrp_instance with an address and no virtual_server for TCP in it, so there is nothing that kshalb could do in its place")
)

// Read makes a plan of files of keepalived's. Several are those of as many nodes,
// save those that another one includes, and those without a vrrp_instance, whose
// virtual servers are taken for the same node's. A file with conditions on hosts is
// as many nodes as it names, unless the host is told.
//
// The error is a [*plan.Error]. Read is safe for use by several goroutines, keeps
// nothing of its input, and looks at nothing but it.
func Read(in plan.Input) (plan.Plan, error) {
	if len(in.Files) == 0 {
		return plan.Plan{}, &plan.Error{Err: errNone}
	}
	c := &cluster{in: in, notes: &notebook{}}
	if err := c.read(); err != nil {
		return plan.Plan{}, err
	}
	p := c.plan()
	if len(p.VIPs) == 0 && len(p.Listeners) == 0 {
		return plan.Plan{}, &plan.Error{At: plan.Source{File: in.Files[0].Name}, Err: errNothing}
	}
	return p, nil
}

// cluster is what all nodes say together.
type cluster struct {
	in    plan.Input
	notes *notebook
	hosts []*host // those with instances
	rest  []*host // those without

	named []plan.Value[string]     // what the hosts are called
	own   []plan.Value[netip.Addr] // and their addresses
}

// read reads every file that no other one includes. Which those are shows in a
// first look at each, and so do the hosts that its conditions name.
func (c *cluster) read() error {
	var scans []*scanner
	included := map[string]bool{}
	for _, f := range c.in.Files {
		s, err := scan(c.in, f, "", &notebook{})
		if err != nil {
			return err
		}
		for name := range s.files {
			included[name] = included[name] || name != f.Name
		}
		scans = append(scans, s)
	}
	for i, f := range c.in.Files {
		if included[f.Name] {
			continue
		}
		for _, id := range readAs(c.in.Host, f, scans[i].ids, c.notes) {
			if err := c.node(f, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// node reads a file as one node does.
func (c *cluster) node(f plan.File, id string) error {
	s, err := scan(c.in, f, id, c.notes)
	if err != nil {
		return err
	}
	root := build(s.lines, c.notes)
	c.notes.shapes(root)
	h := newHost(root, plan.Source{File: f.Name}, id, c.notes)
	if len(h.instances) > 0 {
		c.hosts = append(c.hosts, h)
	} else {
		c.rest = append(c.rest, h)
	}
	return nil
}

// plan joins the nodes.
func (c *cluster) plan() plan.Plan {
	c.named, c.own = c.names(), c.addresses()
	p := plan.Plan{Peers: c.peers()}
	p.VIPs = c.vips()
	p.Listeners = c.listeners()
	c.compare()
	c.missing(p)
	p.Notes = c.notes.notes()
	p.Steps = c.steps(p)
	return p
}
