package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/kshalb/kshalb/internal/lab"
)

// maxDescriptors is what the processes may have open, if they are allowed to:
// 10 000 connections are twice as many descriptors for a balancer.
const maxDescriptors = 1 << 16

// Two ports, each with a server process of its own, so that the small requests
// beside bulk flows do not wait in the server.
const (
	port     uint16 = 7000
	bulkPort uint16 = 7001
)

// bed is the three hosts.
type bed struct {
	lab                      *lab.Lab
	client, balancer, server *lab.Host
	self                     string // this program
	descriptors              int    // that a process may have open
	started                  int    // processes, for their names
}

func newBed(descriptors int) (*bed, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	l, err := lab.New()
	if err != nil {
		return nil, err
	}
	b := &bed{lab: l, self: self, descriptors: descriptors}
	if err := b.addHosts(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return b, nil
}

func (b *bed) addHosts() (err error) {
	for i, h := range []struct {
		name string
		host **lab.Host
	}{{"client", &b.client}, {"balancer", &b.balancer}, {"server", &b.server}} {
		address := netip.AddrFrom4([4]byte{192, 168, 0, byte(i + 1)})
		if *h.host, err = b.lab.AddHost(h.name, netip.PrefixFrom(address, 24)); err != nil {
			return err
		}
		if err := (*h.host).Do(tune); err != nil {
			return fmt.Errorf("set up host %s: %w", h.name, err)
		}
	}
	return nil
}

// tune sets what the kernel keeps per network namespace, alike on all hosts.
func tune() error {
	for _, s := range []struct{ key, value string }{
		{"ipv4/ip_local_port_range", "1024 65535"}, // thousands of connections a second ...
		{"ipv4/tcp_tw_reuse", "1"},                 // ... whose ports are wanted again after one
		{"core/somaxconn", "32768"},
		{"ipv4/tcp_max_syn_backlog", "32768"},
		{"ipv4/ip_forward", "1"}, // for dnat
		{"ipv4/conf/all/send_redirects", "0"},
		{"ipv4/conf/eth0/send_redirects", "0"}, // client and server are one network, so dnat is a detour
	} {
		if err := os.WriteFile("/proc/sys/net/"+s.key, []byte(s.value), 0); err != nil {
			return fmt.Errorf("set net/%s: %w", s.key, err)
		}
	}
	return nil
}

func (b *bed) ports() []uint16 { return []uint16{port, bulkPort} }

func (b *bed) setting() setting {
	return setting{
		Dir: b.balancer.Dir(), Balancer: b.balancer.Addr(), Server: b.server.Addr(),
		Ports: b.ports(), CPUs: runtime.NumCPU(), Descriptors: b.descriptors, Connections: (b.descriptors - 400) / 2,
	}
}

// unique makes a process's name, and so its output's.
func (b *bed) unique(name string) string {
	b.started++
	return fmt.Sprintf("%s-%d", name, b.started)
}

// play starts this program with an order on a host.
func (b *bed) play(h *lab.Host, o order) (*lab.Process, error) {
	env, err := o.env()
	if err != nil {
		return nil, err
	}
	return h.Start(lab.Spec{Name: b.unique(o.Role), Path: b.self, Env: env})
}
