package app

import (
	"net/netip"
	"sync"
	"time"
)

// drains are the backends whose connections are to end after a while. The zero
// value is ready for use; it is safe for concurrent use.
type drains struct {
	mu     sync.Mutex
	timers map[netip.AddrPort]*time.Timer
}

// begin has over called after a while, unless end is called before.
func (d *drains) begin(b netip.AddrPort, after time.Duration, over func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timers == nil {
		d.timers = make(map[netip.AddrPort]*time.Timer)
	}
	if t := d.timers[b]; t != nil {
		t.Stop()
	}
	d.timers[b] = time.AfterFunc(after, over)
}

func (d *drains) end(b netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.timers[b]; t != nil {
		t.Stop()
		delete(d.timers, b)
	}
}
