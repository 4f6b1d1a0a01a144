package health

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// notReadyBy is an answer that is not the expected one.
func notReadyBy(status int, path string, body []byte) *NotReady {
	if line := telling(body); line != "" {
		return &NotReady{fmt.Sprintf("status %d from %s: %s", status, path, line)}
	}
	return &NotReady{fmt.Sprintf("status %d from %s", status, path)}
}

// telling is the line of a body that says most: the first that names a failed
// check the way of k8s.io/apiserver's healthz ("[-]etcd failed: ..."), or else
// the first one. It has at most 80 printable characters.
func telling(body []byte) string {
	var first string
	for line := range bytes.Lines(body) {
		text := printable(string(line), 80)
		if strings.HasPrefix(text, "[-]") {
			return text
		}
		if first == "" {
			first = text
		}
	}
	return first
}

// printable is a text from outside that logs can bear: at most so many
// characters, none of which moves a terminal.
func printable(text string, most int) string {
	runes := []rune(strings.TrimSpace(text))
	runes = runes[:min(len(runes), most)]
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '?'
		}
	}
	return strings.TrimSpace(string(runes))
}
