// Package bench measures what kshalb costs on the machine it runs on: a
// connection through it beside a direct one, in the same run, and what one
// round of the election takes. It has benchmarks only (`make bench`); README.md
// says how to read them.
//
// Parts that are of use inside one package only, such as the pick of a backend,
// are measured beside their code.
package bench
