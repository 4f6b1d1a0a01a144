// Package manifest makes the static pod that runs kshalb on a host, of the
// configuration that it will read there, and the configuration of workers of that of
// the masters. It makes texts and opens nothing; equal inputs give equal texts.
package manifest
