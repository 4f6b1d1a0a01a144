package election

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// logBridge turns memberlist's lines into ours. Those that say that a packet or
// stream was ignored are counted and explained; what else memberlist calls an
// error is a warning, once a minute for each text; the rest is for debugging.
type logBridge struct {
	gossip *Gossip
	mu     sync.Mutex
	last   map[string]time.Time
}

// Write implements io.Writer for the standard logger: one call is one line. It
// does not block, as the log does not.
func (b *logBridge) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level, message, ok := strings.Cut(text, " memberlist: ")
	if !ok {
		level, message = "", text
	}
	message, source := cutSource(message)
	r := explain(message)
	switch {
	case r.reason != "":
		b.gossip.ignored.note(r.reason, source, r.text, r.attrs...)
	case level == "[ERR]" && !told(message) && b.first(message):
		b.gossip.cfg.Log.Warn("gossip: "+message, from(source)...)
	default:
		b.gossip.cfg.Log.Debug("gossip: "+message, from(source)...)
	}
	return len(line), nil
}

// told reports whether a line repeats what memberlist tells by a callback too.
func told(message string) bool { return strings.HasPrefix(message, "Conflicting address for ") }

func from(source netip.Addr) []any {
	if !source.IsValid() {
		return nil
	}
	return []any{"from", source.String()}
}

// cutSource takes the source off the end of a line, where memberlist puts it.
func cutSource(message string) (string, netip.Addr) {
	i := strings.LastIndex(message, " from=")
	if i < 0 {
		return message, netip.Addr{}
	}
	from, _ := netip.ParseAddrPort(message[i+len(" from="):])
	return strings.TrimRight(message[:i], ":"), from.Addr().Unmap()
}

// explanation is what a line means to the people who run the nodes; without a
// reason it means nothing special.
type explanation struct {
	reason string
	text   string
	attrs  []any
}

const (
	otherCluster = "a node of another cluster sends here, so it is ignored; " +
		"if it belongs to this one write the same cluster.name on both nodes and restart the wrong one"
	otherKey = "what a node sends cannot be decrypted, so it is ignored; " +
		"put the same cluster.gossip.keyFile on both nodes and reload"
	plainText = "a node sends without encryption, so it is ignored; " +
		"give it this node's cluster.gossip.keyFile and take insecure away, then restart it"
	needsKey = "a node encrypts and this one does not, so it is ignored; " +
		"give this node the other's cluster.gossip.keyFile and take insecure away, then restart it"
	overflowed = "more messages came in than could be handled, so some were dropped; is this machine overloaded?"
)

// The lines about an indirect ping that nobody asked for.
const (
	garbledPing = "Failed to decode indirect ping request: "
	aimlessPing = "Failed to send indirect ping: "
)

// explain knows the lines of memberlist v0.7.0 (net.go); a test provokes each of
// them from a real one.
func explain(message string) explanation {
	if theirs, ok := cutPrefixes(message, "discarding packet with unacceptable label ", "discarding stream with unacceptable label "); ok {
		return explanation{reasonLabel, otherCluster, []any{"cluster", strings.Trim(theirs, `"`)}}
	}
	if strings.HasPrefix(message, "handler queue full, dropping message") {
		return explanation{reasonOverflow, overflowed, nil}
	}
	if why, ok := cutPrefixes(message, "Decrypt packet failed: ", "failed to receive: ", garbledPing, aimlessPing); ok {
		return explainKey(message, why)
	}
	return explanation{}
}

// explainKey tells the three ways apart in which keys can differ. A packet in
// plain text begins with its type, where an encrypted one has the version of the
// encryption, 0 or 1: a type above 1 gives it away, and so does a length below
// an encrypted packet's. A node without keys takes that version, 1, for the type
// of an indirect ping, and stumbles over what follows, or (once in some hundred
// packets) reads it as a ping of nowhere.
func explainKey(message, why string) explanation {
	switch {
	case why == "no installed keys could decrypt the message":
		return explanation{reasonKey, otherKey, nil}
	case strings.HasPrefix(why, "unsupported encryption version "),
		strings.HasPrefix(why, "payload is too small to decrypt"),
		why == "encryption is configured but remote state is not encrypted":
		return explanation{reasonKey, plainText, nil}
	case why == "remote state is encrypted and encryption is not configured",
		strings.HasPrefix(message, garbledPing),
		strings.HasPrefix(message, aimlessPing) && strings.Contains(why, "unable to parse IP"):
		return explanation{reasonKey, needsKey, nil}
	}
	return explanation{}
}

func cutPrefixes(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}

// first reports whether message was not logged within the last minute.
func (b *logBridge) first(message string) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, at := range b.last {
		if now.Sub(at) >= repeatAfter {
			delete(b.last, k)
		}
	}
	if _, repeated := b.last[message]; repeated || len(b.last) >= maxSources {
		return false
	}
	if b.last == nil {
		b.last = make(map[string]time.Time)
	}
	b.last[message] = now
	return true
}
