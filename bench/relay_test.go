package bench

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
)

const (
	requestSize  = 200
	responseSize = 1 << 10
	bulkSize     = 1 << 20
)

// BenchmarkSetup is a new connection until the first byte of the backend: a
// handshake alone would not show that kshalb has still to connect.
func BenchmarkSetup(b *testing.B) {
	backend := serve(b, func(c *net.TCPConn) {
		c.Write([]byte{1})
		io.Copy(io.Discard, c)
	})
	eachWay(b, backend, func(b *testing.B, to netip.AddrPort) {
		buf := make([]byte, 1)
		report := countCPU(b)
		for b.Loop() {
			c, err := dial(to)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
			c.SetLinger(0) // a RST: no port waits in TIME_WAIT
			c.Close()
		}
		report()
	})
}

// BenchmarkRequest is 200 B there and 1 KiB back, on 1 and on 64 kept
// connections, each of which asks again as soon as it is answered.
func BenchmarkRequest(b *testing.B) {
	response := make([]byte, responseSize)
	backend := serve(b, func(c *net.TCPConn) {
		buf := make([]byte, requestSize)
		for {
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			if _, err := c.Write(response); err != nil {
				return
			}
		}
	})
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) {
			eachWay(b, backend, func(b *testing.B, to netip.AddrPort) {
				if n == 1 {
					requestAlone(b, to)
				} else {
					requestMany(b, to, n)
				}
			})
		})
	}
}

func requestAlone(b *testing.B, to netip.AddrPort) {
	c := kept(b, to)
	buf := make([]byte, responseSize)
	report := countCPU(b)
	for b.Loop() {
		if err := ask(c, buf); err != nil {
			b.Fatal(err)
		}
	}
	report()
}

// requestMany runs in parallel, where b.Loop may not be used.
func requestMany(b *testing.B, to netip.AddrPort, connections int) {
	each := (connections + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	pool := make(chan *net.TCPConn, each*runtime.GOMAXPROCS(0))
	for range cap(pool) {
		c := kept(b, to)
		if err := ask(c, make([]byte, responseSize)); err != nil { // the backend is connected too
			b.Fatal(err)
		}
		pool <- c
	}
	b.SetParallelism(each)
	b.ResetTimer()
	report := countCPU(b)
	b.RunParallel(func(pb *testing.PB) {
		c, buf := <-pool, make([]byte, responseSize)
		for pb.Next() {
			if err := ask(c, buf); err != nil {
				b.Error(err)
				return
			}
		}
	})
	report()
}

// kept is a connection that is there until the benchmark ends.
func kept(b *testing.B, to netip.AddrPort) *net.TCPConn {
	b.Helper()
	c, err := dial(to)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// ask sends a request and waits for the response, which fills buf.
func ask(c *net.TCPConn, buf []byte) error {
	if _, err := c.Write(buf[:requestSize]); err != nil {
		return err
	}
	_, err := io.ReadFull(c, buf)
	return err
}

// BenchmarkBulk is one flow from the backend, as a long list or a watch that
// catches up; an operation is 1 MiB.
func BenchmarkBulk(b *testing.B) {
	block := make([]byte, bulkSize)
	backend := serve(b, func(c *net.TCPConn) {
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	})
	eachWay(b, backend, func(b *testing.B, to netip.AddrPort) {
		c := kept(b, to)
		buf := make([]byte, bulkSize)
		b.SetBytes(bulkSize)
		report := countCPU(b)
		for b.Loop() {
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
		report()
	})
}
