package status

import (
	"strings"

	"github.com/kshalb/kshalb/internal/printable"
)

// Answer is what a peer says of itself and of the others, or why it says nothing.
type Answer struct {
	From    string `json:"from"`
	Err     string `json:"error,omitempty"` // all else is empty then
	Version string `json:"version,omitempty"`
	Digest  string `json:"configDigest,omitempty"`
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"` // why it is not ready
	VIPs    []VIP  `json:"vips,omitempty"`
	Peers   []Peer `json:"peers,omitempty"`
}

const (
	maxAnswered = 256 // VIPs or peers
	maxWord     = 256 // bytes of one text
)

// Clean makes an answer fit to be shown: a peer may be of another version, or not
// what it says it is. Texts keep only what can be printed, and neither they nor
// the lists are long.
func (a *Answer) Clean() {
	a.VIPs, a.Peers = a.VIPs[:min(len(a.VIPs), maxAnswered)], a.Peers[:min(len(a.Peers), maxAnswered)]
	words := []*string{&a.From, &a.Err, &a.Version, &a.Digest, &a.Reason}
	for i := range a.VIPs {
		v := &a.VIPs[i]
		words = append(words, &v.Name, &v.Address, &v.Interface, &v.Holder, &v.State, &v.Reason)
		v.Fence = v.Fence[:min(len(v.Fence), maxAnswered)]
		for j := range v.Fence {
			words = append(words, &v.Fence[j].Layer, &v.Fence[j].Reason)
		}
		if c := v.Conflict; c != nil {
			words = append(words, &c.MAC, &c.Who)
		}
	}
	for i := range a.Peers {
		p := &a.Peers[i]
		words = append(words, &p.Name, &p.Address, &p.State, &p.Reason)
	}
	for _, w := range words {
		*w = word(*w)
	}
}

// word is the beginning of a text, as far as it prints.
func word(text string) string {
	text = printable.Text(text)
	if len(text) <= maxWord {
		return text
	}
	return strings.ToValidUTF8(text[:maxWord], "") + "..."
}

// peer is what the answer says of one; "" is nothing.
func (a *Answer) peer(name string) string {
	for _, p := range a.Peers {
		if p.Name == name {
			return p.State
		}
	}
	return ""
}
