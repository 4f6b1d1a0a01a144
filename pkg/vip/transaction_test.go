package vip

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// answer is an acknowledgement (0) or an error of the kernel.
func answer(seq uint32, errno unix.Errno) []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.SizeofNlMsghdr+unix.SizeofNlMsgerr)
	b = binary.NativeEndian.AppendUint16(b, unix.NLMSG_ERROR)
	b = binary.NativeEndian.AppendUint16(b, 0)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(-int32(errno)))
	return append(b, make([]byte, unix.SizeofNlMsghdr)...)
}

func TestParseAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		b    []byte
		want error
		ack  bool
	}{
		"done":               {answer(7, 0), nil, true},
		"another one's":      {answer(6, 0), nil, false},
		"first error counts": {slices.Concat(answer(5, unix.ENOENT), answer(6, unix.EPERM), answer(7, 0)), unix.ENOENT, true},
		"nothing":            {nil, nil, false},
	} {
		if ack, got := parseAnswers(test.b, 7); !errors.Is(got, test.want) || ack != test.ack {
			t.Errorf("%s: %v, acknowledged %v", name, got, ack)
		}
	}
}

func FuzzParseAnswers(f *testing.F) {
	f.Add(answer(7, 0), uint32(7))
	f.Add(answer(7, unix.EPERM), uint32(8))
	f.Add([]byte{1, 0, 0, 0}, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, last uint32) {
		if ack, _ := parseAnswers(b, last); ack && len(b) < unix.SizeofNlMsghdr+4 {
			t.Errorf("%x acknowledges", b)
		}
	})
}
