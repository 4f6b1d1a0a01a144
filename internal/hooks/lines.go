package hooks

import (
	"bytes"
	"fmt"
)

const (
	maxLines = 20  // of one run
	maxLine  = 500 // bytes
)

// lines says what is written to it, line by line, and no more than a log bears.
type lines struct {
	say   func(line string)
	begun []byte // a line without its end
	said  int
	lost  int // lines beyond maxLines
}

// Write takes a part of the text. It always succeeds: whoever writes is not to be
// held up, nor ended.
func (l *lines) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		line, behind, whole := bytes.Cut(rest, []byte{'\n'})
		l.begun = append(l.begun, line[:min(len(line), maxLine-len(l.begun))]...)
		if whole {
			l.flush()
		}
		rest = behind
	}
	return len(text), nil
}

func (l *lines) flush() {
	if l.said < maxLines {
		l.said++
		l.say(string(bytes.TrimRight(l.begun, "\r")))
	} else {
		l.lost++
	}
	l.begun = l.begun[:0]
}

// end says what is left.
func (l *lines) end() {
	if len(l.begun) > 0 {
		l.flush()
	}
	if l.lost > 0 {
		l.say(fmt.Sprintf("and %d lines more", l.lost))
	}
}
