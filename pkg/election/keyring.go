package election

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// SetKeys replaces the keys while messages flow: the first encrypts, all
// decrypt; each has 16, 24 or 32 bytes. To change keys without losing a
// message, go through all nodes three times: add the new key as the second,
// then put it first, then remove the old one. Nothing changes when an error is
// returned. Going from encrypted to plain text or back is refused: no node
// could follow while it runs.
func (g *Gossip) SetKeys(keys [][]byte) error {
	if err := g.checkKeys(keys); err != nil {
		return fmt.Errorf("change the gossip keys: %w", err)
	}
	if g.keyring == nil {
		return nil
	}
	g.sending.Lock()
	defer g.sending.Unlock()
	return turn(g.keyring, keys)
}

func (g *Gossip) checkKeys(keys [][]byte) error {
	switch {
	case g.list == nil:
		return errors.New("gossip is not open yet")
	case g.keyring != nil && len(keys) == 0:
		return errors.New("this node encrypts, and none is left; " +
			"to go on in plain text set cluster.gossip.insecure on every node and restart them all")
	case g.keyring == nil && len(keys) > 0:
		return errors.New("this node talks in plain text; to encrypt restart every node with cluster.gossip.keyFile")
	}
	for i, key := range keys {
		if err := memberlist.ValidateKey(key); err != nil {
			return fmt.Errorf("key %d has %d bytes: must be 16, 24 or 32", i+1, len(key))
		}
	}
	return nil
}

// turn makes ring hold keys and no others, the first in front.
//
// Decryption reads the ring's list without its lock (v0.7.0: GetKeys returns
// the list itself), and RemoveKey closes the gap in place. So only the last key
// may be removed, which moves nothing.
func turn(ring *memberlist.Keyring, keys [][]byte) error {
	var wanted [][]byte
	for _, key := range keys {
		if !holds(wanted, key) {
			wanted = append(wanted, bytes.Clone(key))
		}
	}
	for _, key := range wanted {
		if err := ring.AddKey(key); err != nil {
			return fmt.Errorf("add a gossip key: %w", err) // checkKeys lets none through
		}
	}
	if err := sortOut(ring, wanted); err != nil {
		return fmt.Errorf("use a gossip key: %w", err) // it was just added
	}
	for have := ring.GetKeys(); len(have) > len(wanted); have = ring.GetKeys() {
		if err := ring.RemoveKey(have[len(have)-1]); err != nil {
			return fmt.Errorf("remove a gossip key: %w", err) // it is not the first
		}
	}
	return nil
}

// sortOut brings the first of the wanted keys to the front, and all that is not
// wanted to the end. Mostly it is there already; else each wanted key is put in
// front, the last one first. For that moment one encrypts that the peers may
// not know, hence [Gossip.sending]; a ping of memberlist's own may be lost.
func sortOut(ring *memberlist.Keyring, wanted [][]byte) error {
	if err := ring.UseKey(wanted[0]); err != nil {
		return err
	}
	if !slices.ContainsFunc(ring.GetKeys()[:len(wanted)], func(k []byte) bool { return !holds(wanted, k) }) {
		return nil
	}
	for _, key := range slices.Backward(wanted) {
		if err := ring.UseKey(key); err != nil {
			return err
		}
	}
	return nil
}

func holds(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}
