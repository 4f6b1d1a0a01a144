package election

import "time"

// remember has what the machines want to be known after a restart written down.
// Until that is done, they go on as before.
func (e *Elector) remember() {
	mem := e.remembered
	for _, v := range e.vips {
		m := v.machine.ToRemember()
		mem.Bootstrapped = mem.Bootstrapped || m.Bootstrapped
		if m.Voters != nil {
			mem.Voters = m.Voters
		}
	}
	if len(mem.Voters) == 0 { // the first start: a later one must not be with quite others
		mem.Voters = names(e.cfg.Voters)
	}
	if e.remembering || mem.Equal(e.remembered) {
		return
	}
	e.remembering = true
	go e.writeDown(mem)
}

func (e *Elector) writeDown(mem Memory) {
	var err error
	if e.cfg.Remember != nil {
		err = e.cfg.Remember(mem)
	}
	if err != nil {
		e.cfg.Log.Error("cannot write down what has to survive a restart, trying again", "err", err)
		select {
		case <-time.After(rememberRetry):
		case <-e.done:
		}
	}
	_ = e.call(func(now time.Time) { // an election that has ended needs no memory
		e.remembering = false
		if err != nil {
			return
		}
		e.remembered = mem
		for _, v := range e.vips {
			v.machine.Remembered(now, mem)
		}
	})
}

// rememberRetry is the pause after a failed write.
const rememberRetry = 5 * time.Second
