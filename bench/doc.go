// Package bench measures what kshalb costs on the machine it runs on. The relay
// is measured beside HAProxy, nginx and the kernel alone by the program in
// bench/relay (`make bench`); what one round of the election takes is a
// benchmark here (`make bench-parts`). How long nobody serves when a master
// fails is measured beside keepalived by bench/failover (`make bench-failover`).
// README.md says how to read all three.
//
// Parts that are of use inside one package only, such as the pick of a backend,
// are measured beside their code.
package bench
