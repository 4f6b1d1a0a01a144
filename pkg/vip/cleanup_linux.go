package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Cleanup removes every address, table, route and rule that is marked as ours from the
// network namespace of the calling thread, and nothing else: what a killed
// daemon left. It logs each one. It is for a time when no Manager runs: a redirect
// that a running process owns is an error, and then no address is touched. A
// fence goes last, and only when no address of ours is left.
func Cleanup(log *slog.Logger) error {
	// The redirects first: one that is refused belongs to a daemon that lives, and
	// so does the address.
	if err := cleanTables(log, isRedirect, nftables.TableFamilyINet); err != nil {
		return err
	}
	if err := cleanTables(log, isAnswers, nftables.TableFamilyINet); err != nil {
		return err
	}
	if err := removeAnswersRoutes(log, true); err != nil {
		return err
	}
	if err := cleanAddresses(log); err != nil {
		return err
	}
	return cleanTables(log, isFence,
		nftables.TableFamilyARP, nftables.TableFamilyINet, nftables.TableFamilyNetdev)
}

func cleanAddresses(log *slog.Logger) error {
	all, err := dump(func() ([]address, error) { return listAddresses(unix.AF_UNSPEC) })
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	var errs []error
	for _, a := range all {
		if !a.ours() {
			continue
		}
		if err := deleteAddress(a); err != nil {
			errs = append(errs, err)
			continue
		}
		log.Info("left address removed", "address", a.local, "label", a.label)
	}
	return errors.Join(errs...)
}

func isRedirect(name string) bool { return strings.HasPrefix(name, TablePrefix) }

func isAnswers(name string) bool { return name == AnswersTable }

func isFence(name string) bool {
	return name == FencePrefix || strings.HasPrefix(name, FencePrefix+"_")
}

// cleanTables removes the tables of the families whose names are ours.
func cleanTables(log *slog.Logger, ours func(name string) bool, families ...nftables.TableFamily) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("list tables: %w", explain(err))
	}
	tables, err := conn.ListTables()
	if lacksTables(err) {
		return nil // so there is none of ours
	}
	if err != nil {
		return fmt.Errorf("list tables: %w", explain(err))
	}
	var errs []error
	for _, t := range tables {
		if !slices.Contains(families, t.Family) || !ours(t.Name) {
			continue
		}
		if err := deleteTable(t); err != nil {
			errs = append(errs, err)
			continue
		}
		log.Info("left table removed", "table", tableName(t))
	}
	return errors.Join(errs...)
}
