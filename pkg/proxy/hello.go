package proxy

import "encoding/binary"

// hello is what a client said first, kept until its backend answers: when the
// backend goes before that, another one is told the same. That is done for a TLS
// ClientHello only. It asks for nothing that must not happen twice, as long as the
// client said nothing behind it, such as early data (RFC 8446, section 8).
type hello struct {
	state helloState
	size  uint16
	bytes *block // nil until there are some
}

type helloState uint8

const (
	unheard helloState = iota // nothing was said yet
	heard                     // bytes are the beginning of a ClientHello, or all of it
	lost                      // something else was said, or the backend has answered
)

// maxHello leaves room for what else stands in front of it in a block.
const maxHello = small - 256

// recordHeader is the length of a TLS record's header (RFC 8446, section 5.1), which
// one byte follows that says what kind of handshake message it is.
const recordHeader = 5

// add takes what the client said next. It reports whether it was kept.
func (h *hello) add(p []byte, make func() *block) bool {
	total := int(h.size) + len(p)
	if h.state == lost || total > maxHello {
		return false
	}
	if h.bytes == nil {
		h.bytes = make()
	}
	copy(h.bytes[h.size:], p)
	h.size, h.state = uint16(total), heard
	return isHello(h.bytes[:total])
}

// isHello reports whether p is a ClientHello, or may become one.
func isHello(p []byte) bool {
	const handshake, major, clientHello = 22, 3, 1
	switch {
	case p[0] != handshake, len(p) > 1 && p[1] != major, len(p) > recordHeader && p[recordHeader] != clientHello:
		return false
	case len(p) < recordHeader:
		return true
	}
	return len(p) <= recordHeader+int(binary.BigEndian.Uint16(p[3:]))
}

// again reports whether another backend can be told all that the client said.
func (h *hello) again() bool { return h.state != lost }
