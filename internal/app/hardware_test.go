package app

import (
	"net"
	"strings"
	"testing"
)

func TestHardware(t *testing.T) {
	h := newHardware()
	h.learn("master2", "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x02\x00") // and half a one
	h.learn("master3", "\x02\x00\x00\x00\x00\x03")
	h.learn("master3", "") // it has none any more, and its frames may be under way
	for mac, want := range map[string]string{
		"02:00:00:00:00:01": "master2", "02:00:00:00:00:02": "master2", "02:00:00:00:00:03": "master3",
		"02:00:00:00:00:04": "", "02:00:00:00:00:00:00:01": "",
	} {
		hw, err := net.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.peer(hw); got != want {
			t.Errorf("%s is %q's, want %q", mac, got, want)
		}
	}
	for i := range 2 * maxKnown / maxCards {
		var meta strings.Builder
		for j := range maxCards {
			meta.Write([]byte{4, byte(i >> 8), byte(i), 0, 0, byte(j)})
		}
		h.learn("flood", meta.String())
	}
	if n := len(h.peers); n != maxKnown {
		t.Errorf("%d are known, want %d at most", n, maxKnown)
	}
}

func TestMeta(t *testing.T) {
	cards := make([]net.HardwareAddr, 2*maxCards)
	for i := range cards {
		cards[i] = net.HardwareAddr{2, 0, 0, 0, 0, byte(i)}
	}
	for _, n := range []int{0, 1, 64, 128} {
		meta := string(metaOf(cards[:n], roleWitness))
		if got := roleIn(meta); got != roleWitness {
			t.Errorf("%d cards: role %d", n, got)
		}
		if len(meta) > 512 {
			t.Errorf("%d cards: %d bytes, memberlist takes 512", n, len(meta))
		}
	}
	for _, old := range []string{"", "\x02\x00\x00\x00\x00\x01", "12", "12345"} {
		if got := roleIn(old); got != roleUnknown {
			t.Errorf("%q: role %d", old, got)
		}
	}
}
