package status

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestClean: nothing that a peer says reaches a terminal as more than words.
func TestClean(t *testing.T) {
	evil := "\x1b]0;owned\a\x1b[2J\xff\u202e\n" + strings.Repeat("ü", maxWord)
	a := Answer{
		From: evil, Err: evil, Version: evil, Digest: evil, Reason: evil,
		VIPs: slices.Repeat([]VIP{{
			Name: evil, Address: evil, Interface: evil, Holder: evil, State: evil, Reason: evil,
			Fence: []Fence{{Layer: evil, Reason: evil}}, Conflict: &Conflict{MAC: evil, Who: evil},
		}}, 2*maxAnswered),
		Peers: slices.Repeat([]Peer{{Name: evil, Address: evil, State: evil, Reason: evil}}, 2*maxAnswered),
	}
	a.Clean()
	if len(a.VIPs) != maxAnswered || len(a.Peers) != maxAnswered {
		t.Errorf("%d VIPs, %d peers", len(a.VIPs), len(a.Peers))
	}
	v, p := a.VIPs[0], a.Peers[maxAnswered-1]
	for i, word := range []string{
		a.From, a.Err, a.Version, a.Digest, a.Reason, v.Name, v.Address, v.Interface, v.Holder, v.State, v.Reason,
		v.Fence[0].Layer, v.Fence[0].Reason, v.Conflict.MAC, v.Conflict.Who, p.Name, p.Address, p.State, p.Reason,
	} {
		bad := strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) })
		if bad || !utf8.ValidString(word) || len(word) > maxWord+len("...") {
			t.Errorf("word %d is %q", i, word)
		}
	}
	good := Answer{From: "m1", Version: "v0.1.0", Reason: "listener ü has no backend that is up"}
	if good.Clean(); good.Reason != "listener ü has no backend that is up" {
		t.Errorf("%q", good.Reason)
	}
}
