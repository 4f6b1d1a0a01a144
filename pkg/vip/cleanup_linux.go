package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/google/nftables"
)

// Cleanup removes every address and table that is marked as ours from the
// network namespace of the calling thread, and nothing else: what a killed
// daemon left. It logs each one. It is for a time when no Manager runs: a table
// that a running process owns is an error, and then no address is touched.
func Cleanup(log *slog.Logger) error {
	// The tables first: one that is refused belongs to a daemon that lives, and
	// so does the address.
	if err := cleanTables(log); err != nil {
		return err
	}
	return cleanAddresses(log)
}

func cleanAddresses(log *slog.Logger) error {
	all, err := dump(listAddresses)
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

func cleanTables(log *slog.Logger) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("list tables: %w", explain(err))
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if lacksTables(err) {
		return nil // so there is none of ours
	}
	if err != nil {
		return fmt.Errorf("list tables: %w", explain(err))
	}
	var errs []error
	for _, t := range tables {
		if t.Family != nftables.TableFamilyINet || !strings.HasPrefix(t.Name, TablePrefix) {
			continue
		}
		if err := deleteTable(t); err != nil {
			errs = append(errs, err)
			continue
		}
		log.Info("left table removed", "table", "inet "+t.Name)
	}
	return errors.Join(errs...)
}
