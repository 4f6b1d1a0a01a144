package config

import _ "embed" // for reference.yaml

// Reference is the text of reference.yaml: a valid file with every key, what
// it means and, where there is one, its default.
//
//go:embed reference.yaml
var Reference string
