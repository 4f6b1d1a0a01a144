package fault

// Kind is what befalls a node.
type Kind string

// The kinds.
const (
	Kill  Kind = "kill"  // its kshalb ends at once, with no chance to tidy up
	Pause Kind = "pause" // its kshalb stands still, and goes on later
	Cut   Kind = "cut"   // its host hears nobody and is heard by nobody
)
