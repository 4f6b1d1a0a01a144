// Package cli has no code but tests: the real kshalb as a process on a host of
// its own. Each obstacle at the start is one line and an exit code, and signals
// end it in order with nothing left behind.
package cli
