// Package fault does to this node what a drill asks for, and undoes it: also when
// nobody is left to ask.
package fault
