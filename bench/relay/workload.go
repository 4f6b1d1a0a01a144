package main

import "time"

// kind is what a client does.
type kind string

const (
	requests kind = "requests" // one after the other on kept connections
	bulk     kind = "bulk"     // endless answers
	connects kind = "connects" // a connection for each request
	idle     kind = "idle"     // nothing, on many connections
	await    kind = "await"    // one request, until it is answered: no workload
)

// workload is one thing that is measured.
type workload struct {
	name   string // as -only takes it
	title  string // as the report has it
	kind   kind
	conns  int
	answer int // bytes
	flows  int // bulk flows beside it
}

// Small is what most answers of an API server are; 16 KiB is a list of some
// objects. Requests are 200 B.
const (
	small = 1 << 10
	list  = 16 << 10
)

func workloads(descriptors int) []workload {
	// A balancer has two descriptors for each of the idle connections, and some
	// of its own.
	many := min(10000, (descriptors-1000)/2)
	return []workload{
		{"bulk-1", "bulk, 1 flow", bulk, 1, 0, 0},
		{"bulk-8", "bulk, 8 flows", bulk, 8, 0, 0},
		{"bulk-64", "bulk, 64 flows", bulk, 64, 0, 0},
		{"requests-1", "200 B ↔ 1 KiB, 1 connection", requests, 1, small, 0},
		{"requests-64", "200 B ↔ 1 KiB, 64 connections", requests, 64, small, 0},
		{"requests-512", "200 B ↔ 1 KiB, 512 connections", requests, 512, small, 0},
		{"lists-64", "200 B ↔ 16 KiB, 64 connections", requests, 64, list, 0},
		{"mixed", "200 B ↔ 1 KiB, 16 connections, beside 8 bulk flows", requests, 16, small, 8},
		{"connects", "new connections, 32 at once", connects, 32, small, 0},
		{"idle", "idle connections", idle, many, small, 0},
	}
}

// metric is one figure of a workload.
type metric struct {
	key, title string
	less       bool // is better
	digits     int  // behind the point
}

// metrics of a kind of workload, in the report's order.
func (w workload) metrics() []metric {
	switch w.kind {
	case bulk:
		return []metric{
			{"rate", "Gb/s", false, 1}, {"cpu", "balancer, CPU s per GB", true, 3}, {"busy", "whole machine, CPU s per GB", true, 3},
		}
	case idle:
		return []metric{{"memory", "B of memory each", true, 0}, {"descriptors", "descriptors each", true, 2}}
	default:
		return w.perRequest()
	}
}

func (w workload) perRequest() []metric {
	ms := []metric{{"rate", "per second", false, 0}, {"p50", "p50 µs", true, 0}, {"p99", "p99 µs", true, 0}}
	if w.flows > 0 { // whose work is in the processor time too
		return append(ms, metric{"flows", "Gb/s of the flows", false, 1})
	}
	return append(ms,
		metric{"cpu", "balancer, CPU µs each", true, 1}, metric{"busy", "whole machine, CPU µs each", true, 1})
}

// warm is how long the load runs before it counts: TCP's windows open, and an
// adaptive balancer adapts.
func warm(counted time.Duration) time.Duration { return counted / 4 }
