// Package doctor has no code but tests: hosts in network namespaces that are well,
// or have a fault that was planted for real, and what internal/doctor says of them.
package doctor
