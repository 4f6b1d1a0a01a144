// Package failover has no code but tests: three masters with the real kshalb in
// network namespaces lose their holder in every way there is. Who has the
// address is observed from outside at every moment, and whether requests work.
package failover
