package health

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"unicode"
)

// verdictOf is what an error of a probe says.
func verdictOf(err error) verdict {
	switch {
	case isNotReady(err):
		return notReady
	case isSilence(err), isOurs(err):
		return undecided
	default:
		return dead
	}
}

func isNotReady(err error) bool {
	_, is := errors.AsType[*NotReady](err)
	return is
}

func isSilence(err error) bool {
	_, is := errors.AsType[*silence](err)
	return is
}

// scarce are errors by which this host says what it lacks itself: descriptors,
// memory, local ports (connect(2), socket(2)). All targets would be dead at once.
var scarce = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL}

// isOurs reports whether a probe failed for a want on this side, so that it says
// nothing about the target.
func isOurs(err error) bool {
	if _, is := errors.AsType[*noCertificate](err); is {
		return true
	}
	errno, is := errors.AsType[syscall.Errno](err)
	return is && slices.Contains(scarce, errno)
}

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
