// Package clients is those of a drill: one that connects anew again and again, one
// that keeps its connection, and one that only listens. They note what became of
// each request, so that gaps can be told afterwards.
package clients
