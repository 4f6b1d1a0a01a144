// Package yamlnode reads YAML for importers: documents whose nodes know their
// file and line, and mappings that know which of their keys nobody asked for. It
// bounds what a document may cost, and no error of it holds a value of the file.
// It opens nothing, and knows no format.
package yamlnode
