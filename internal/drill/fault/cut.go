package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// cut has the kernel drop all that comes and goes through the interfaces.
func (f *Faults) cut(ctx context.Context, hold time.Duration) (err error) {
	links, err := f.links()
	if err != nil {
		return err
	}
	// Whatever became of adding them: an error does not say that nothing is there.
	defer func() {
		_, e := removeTables()
		err = errors.Join(err, e)
	}()
	if err := f.addTables(links, hold); err != nil {
		return err
	}
	over := time.NewTimer(hold)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
	return nil
}

// ableCut has the kernel check all that a cut adds, and keeps none of it.
func (f *Faults) ableCut() error {
	links, err := f.links()
	if err != nil {
		return err
	}
	return f.addTables(links, 0)
}

// links are the interfaces to cut off.
func (f *Faults) links() (links []net.Interface, err error) {
	names, err := f.cfg.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("find the interfaces: %w", err)
	}
	for _, name := range names {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return nil, fmt.Errorf("find interface %s: %w", name, err)
		}
		if i.Flags&net.FlagLoopback == 0 {
			links = append(links, *i)
		}
	}
	if len(links) == 0 {
		return nil, errors.New("no interface of this host carries a VIP or leads to a peer")
	}
	return links, nil
}

// addTables adds the tables for hold; 0 only tries. Before Linux 5.16, which has
// the first egress hooks, what packet sockets send goes out all the same:
// announcements of a VIP, say, which end with its lease.
func (f *Faults) addTables(links []net.Interface, hold time.Duration) error {
	err := commit(links, f.egress, hold)
	if f.egress && errors.Is(err, unix.EOPNOTSUPP) {
		err = commit(links, false, hold)
	}
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("add tables %s: %w; run kshalb as root or with CAP_NET_ADMIN", Table, err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("add tables %s: %w; the kernel lacks nf_tables, or its family netdev (modprobe nf_tables; CONFIG_NF_TABLES_NETDEV)", Table, err)
	case err != nil:
		return fmt.Errorf("add tables %s: %w", Table, err)
	}
	return nil
}

// Cleanup removes the tables that a killed kshalb left in the network namespace of
// the calling thread. They drop nothing any more, or not for long: the kernel has
// ended the fault, or will.
func Cleanup(log *slog.Logger) error {
	n, err := removeTables()
	if n > 0 {
		log.Info("left tables of a drill removed", "name", Table, "tables", n)
	}
	return err
}
