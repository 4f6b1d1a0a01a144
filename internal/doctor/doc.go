// Package doctor looks at a host and at what its peers see, and tells what is
// wrong, why it matters and what mends it.
//
// Every topic has two halves. The one looks: it runs on each node, on the host
// where `kshalb doctor` was started and in the kshalb of each peer that it asks,
// changes nothing that lasts, and fills its part of a [View]. The other judges:
// it is a pure function of the views of all nodes. A kshalb in a container does
// not see its host's processes and files; what it could not see is said, never
// guessed.
package doctor
