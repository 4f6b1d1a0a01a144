package plan

import "fmt"

// File is one that somebody gave.
type File struct {
	Name string // for messages
	Data []byte
}

// Input is all that an importer may look at. Importers open nothing by
// themselves, so that they can be fuzzed.
type Input struct {
	Files []File // one or more, in the order given

	// Glob finds the files that a file includes: pattern is taken from the folder
	// of the file named from, and may have the wild cards of a shell. nil finds
	// none.
	Glob func(from, pattern string) ([]File, error)
	// Getenv is a variable of the environment; nil has none.
	Getenv func(name string) (value string, ok bool)
	// Host is the name of the host that the files are for, for conditions on it;
	// "" is not known.
	Host string
}

// Error is what is wrong with an input so that nothing can be made of it.
type Error struct {
	At  Source
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.At, e.Err) }
func (e *Error) Unwrap() error { return e.Err }
