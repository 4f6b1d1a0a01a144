package main

import (
	"errors"
	"time"
)

// meter takes what the balancer and the whole machine use between two moments.
type meter struct {
	balancer processes
	start    time.Time
	cpu      int64
	busy     time.Duration
}

// used is what it has taken.
type used struct {
	seconds float64 // that went by
	cpu     float64 // seconds of the balancer's processes
	busy    float64 // seconds of all processors of the machine
}

func startMeter(balancer processes) (meter, error) {
	cpu, err := balancer.cpu()
	if err != nil {
		return meter{}, err
	}
	busy, err := machineBusy()
	return meter{balancer: balancer, start: time.Now(), cpu: cpu, busy: busy}, err
}

func (m meter) stop() (used, error) {
	u := used{seconds: time.Since(m.start).Seconds()}
	cpu, err := m.balancer.cpu()
	busy, err2 := machineBusy()
	u.cpu, u.busy = float64(cpu-m.cpu)/1e9, (busy - m.busy).Seconds()
	return u, errors.Join(err, err2)
}
