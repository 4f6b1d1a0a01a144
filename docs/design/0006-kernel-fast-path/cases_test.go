package sockmap

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// joined is a connection through the map: client, near and far leg, server.
type joined struct {
	*Map
	client, a, b, server *net.TCPConn
}

func join(t *testing.T, v variant) joined {
	t.Helper()
	j := joined{Map: mustOpen(t, v)}
	j.a, j.client = pair(t)
	j.b, j.server = pair(t)
	if err := errors.Join(j.insert(0, fdOf(t, j.a)), j.insert(1, fdOf(t, j.b))); err != nil {
		t.Fatal(err)
	}
	return j
}

// until polls for what the kernel tells nobody.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 5 s", what)
		}
		unix.Poll(nil, 1)
	}
}

// TestOverlap: a segment with old and new bytes (RFC 9293, 3.10.7.4). The kernel
// hands a program the old ones again; the careful program takes them off.
func TestOverlap(t *testing.T) {
	for name, c := range map[string]struct {
		v    variant
		want string
	}{
		"careful":   {careful, "0123456789abcdefghijklmno"},
		"untrimmed": {untrimmed, "012345678956789abcdecdefghijklmklmno"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := overlap(t, c.v, len(c.want)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRedirectedFIN: a message without a byte breaks the socket it is sent to.
func TestRedirectedFIN(t *testing.T) {
	for v, want := range map[variant]unix.Errno{unbounded: 0, withFIN: unix.EPIPE} {
		j := join(t, v)
		if err := j.client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n, err := j.a.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("read %d, %v", n, err)
		}
		var e int
		got := func() bool { e, _ = unix.GetsockoptInt(fdOf(t, j.b), unix.SOL_SOCKET, unix.SO_ERROR); return e != 0 }
		if want == 0 {
			unix.Poll(nil, 50)
			got()
		} else {
			until(t, "an error of the other leg", got)
		}
		if unix.Errno(e) != want {
			t.Errorf("variant %d: SO_ERROR %v, want %v", v, unix.Errno(e), want)
		}
	}
}

// TestDeletePassed: what user space was given and has not read is gone when the
// socket is deleted from the map, and what comes after it cannot be read.
func TestDeletePassed(t *testing.T) {
	if os.Getenv("KSHALB_SOCKMAP_WARN") == "" {
		t.Skip("it makes the kernel warn (WARN in tcp_recvmsg_locked): set KSHALB_SOCKMAP_WARN to run it")
	}
	j := join(t, halfway)
	write(t, j.client, 100)
	until(t, "100 bytes to read", func() bool { n, _ := unix.IoctlGetInt(fdOf(t, j.a), unix.SIOCINQ); return n == 100 })
	if err := j.remove(0); err != nil {
		t.Fatal(err)
	}
	write(t, j.client, 10)
	j.a.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	n, err := io.ReadFull(j.a, make([]byte, 110))
	t.Logf("%d of 110 bytes arrived: %v", n, err)
	if n == 110 {
		t.Error("this kernel loses nothing: docs/design/0006 may be out of date")
	}
}

// TestDeleteRedirected: the same for a socket whose bytes are all redirected,
// while they arrive.
func TestDeleteRedirected(t *testing.T) {
	if os.Getenv("KSHALB_SOCKMAP_WARN") == "" {
		t.Skip("it takes 20 s and shows a race: set KSHALB_SOCKMAP_WARN to run it")
	}
	trials, bad, bytes := 0, 0, int64(0)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		n, ok := deleteRedirected(t)
		if ok {
			trials++
		}
		if ok && n != 0 {
			bad, bytes = bad+1, bytes+n
		}
	}
	t.Logf("%d of %d trials lost %d bytes", bad, trials, bytes)
}

// deleteRedirected returns how many bytes neither the program redirected nor a
// read of the socket returned; not ok when some were given to user space.
func deleteRedirected(t *testing.T) (lost int64, ok bool) {
	j := join(t, careful)
	defer j.Close()
	for _, c := range []*net.TCPConn{j.client, j.a, j.b, j.server} {
		defer c.Close()
	}
	sent := make(chan int64)
	stop := time.Now().Add(4 * time.Millisecond)
	go func() {
		n, p := int64(0), make([]byte, 512)
		for time.Now().Before(stop) {
			k, err := j.client.Write(p)
			n += int64(k)
			if err != nil {
				break
			}
		}
		j.client.CloseWrite()
		sent <- n
	}()
	go io.Copy(io.Discard, j.server)
	unix.Poll(nil, 2)
	if err := j.remove(0); err != nil {
		t.Fatal(err)
	}
	j.a.SetReadDeadline(time.Now().Add(2 * time.Second))
	rest, _ := io.Copy(io.Discard, struct{ io.Reader }{j.a})
	redirected := int64(j.word64(0, flowRedirected).Load())
	return <-sent - rest - redirected, j.word64(0, flowPassed).Load() == 0
}

// TestEarlyEOF: what is given to user space waits behind what is redirected to
// the same socket, and meanwhile a read says that the stream has ended.
func TestEarlyEOF(t *testing.T) {
	j := join(t, halfway)
	fill(t, j.server, 32<<20) // more than the client's sockets hold, and it reads nothing
	write(t, j.client, 100)
	if err := j.client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 200)
	j.a.SetReadDeadline(time.Now().Add(time.Second))
	n, err := j.a.Read(buf)
	t.Logf("before the client reads: %d bytes, %v", n, err)
	if n != 0 || !errors.Is(err, io.EOF) {
		t.Error("this kernel does not end the stream early: docs/design/0006 may be out of date")
	}
	go io.Copy(io.Discard, j.client)
	j.a.SetReadDeadline(time.Time{})
	until(t, "the bytes", func() bool { n, err = j.a.Read(buf); return n > 0 })
	t.Logf("after: %d bytes, %v", n, err)
}

// fill writes so much, or until nothing has been taken for a while.
func fill(t *testing.T, c *net.TCPConn, limit int64) (n int64) {
	t.Helper()
	p := make([]byte, 16<<10)
	for end := time.Now().Add(3 * time.Second); n < limit && time.Now().Before(end); {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		k, err := c.Write(p)
		n += int64(k)
		if err != nil {
			break
		}
	}
	return n
}

// TestStoppedReader: how much the kernel takes for a reader that has stopped.
func TestStoppedReader(t *testing.T) {
	for _, v := range []variant{careful, unbounded} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			j := join(t, v)
			before := used(t)
			n := fill(t, j.client, 4<<30)
			t.Logf("variant %d: the kernel took %d bytes, free memory fell by %d KiB, %d redirected, %d passed", v, n, used(t)-before,
				j.word64(0, flowRedirected).Load(), j.word64(0, flowPassed).Load())
			if v == careful && n > 64<<20 {
				t.Error("unbounded")
			}
		})
	}
}

// TestReset: a RST is told, and closed sockets leave the map.
func TestReset(t *testing.T) {
	j := join(t, careful)
	buf := make([]byte, 10)
	for range 3 {
		write(t, j.client, 5)
		if _, err := io.ReadFull(j.server, buf[:5]); err != nil {
			t.Fatal(err)
		}
	}
	j.client.SetLinger(0)
	j.client.Close()
	if _, err := j.a.Read(buf); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("read: %v, want %v", err, unix.ECONNRESET)
	}
	j.a.Close()
	j.b.Close()
	for k := range uint32(2) {
		var v uint64
		if err := j.coll.Maps["socks"].Lookup(k, &v); err == nil {
			t.Errorf("key %d is still in the map", k)
		}
	}
}
