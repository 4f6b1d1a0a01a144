package vip

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// What this host has connected to the VIP while another one had it comes to this host
// once it has the VIP: the kernel does not keep to the way that it has once found.
func TestKernelSocketsFollow(t *testing.T) {
	for _, cfg := range []Config{testConfig(), testConfig6()} {
		t.Run(cfg.Address.String(), func(t *testing.T) {
			k := running(t, cfg)
			var here net.PacketConn
			var away net.Conn
			k.host.do(t, func() (err error) {
				here, err = net.ListenPacket("udp", "[::]:0")
				if err != nil {
					return err
				}
				to := netip.AddrPortFrom(cfg.Address, here.LocalAddr().(*net.UDPAddr).AddrPort().Port())
				away, err = net.Dial("udp", to.String())
				return err
			})
			defer here.Close()
			defer away.Close()
			for range 2 { // it goes and comes again
				if comes(t, away, here, 50*time.Millisecond) {
					t.Fatal("it came while the VIP was not here")
				}
				began := time.Now()
				stop := k.keep()
				if !comes(t, away, here, 5*time.Second) {
					t.Errorf("nothing has come %s after the VIP was taken", time.Since(began))
				}
				t.Logf("it comes here %s after the VIP was taken", time.Since(began))
				stop()
				k.withdraw()
			}
		})
	}
}

// comes reports whether what is sent to away, again and again, arrives here in time.
func comes(t *testing.T, away net.Conn, here net.PacketConn, within time.Duration) bool {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); {
		_, _ = away.Write([]byte("here?")) // errors tell that nobody has the VIP
		if err := here.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, _, err := here.ReadFrom(make([]byte, 16))
		if err == nil {
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	return false
}
