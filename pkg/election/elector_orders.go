package election

import (
	"fmt"
	"time"
)

// SetFitness says how well this node could hold the VIP from now on.
func (e *Elector) SetFitness(vip string, f Fitness) {
	_ = e.call(func(now time.Time) { // an election that has ended needs no fitness
		for _, v := range e.vips {
			if v.Name == vip {
				v.machine.SetFitness(now, f)
			}
		}
	})
}

// Handover gives a VIP that this node holds to another node, or, with "", to
// the one best able to hold. It returns when this node has begun to let go; the
// error says why it did not.
func (e *Elector) Handover(vip, node string) error {
	err := fmt.Errorf("hand %s over: there is no such VIP", vip)
	if ended := e.call(func(now time.Time) {
		for _, v := range e.vips {
			if v.Name == vip {
				err = v.machine.Handover(now, node)
			}
		}
	}); ended != nil {
		return ended
	}
	return err
}

// Preference is who should hold a VIP.
type Preference struct {
	Priorities map[string]int
	Preempt    bool
}

// CheckVoters returns an error unless the voters may become these now.
func (e *Elector) CheckVoters(voters []Voter) error {
	var err error
	if ended := e.call(func(time.Time) { err = e.checkVoters(voters) }); ended != nil {
		return ended
	}
	return err
}

func (e *Elector) checkVoters(voters []Voter) error {
	for _, v := range e.vips {
		if err := v.machine.CheckVoters(voters); err != nil {
			return fmt.Errorf("change the voters: %w", err)
		}
	}
	return nil
}

// Reconfigure replaces the voters and, by the VIPs' names, who should hold. After
// an error nothing has changed.
func (e *Elector) Reconfigure(voters []Voter, preferences map[string]Preference) error {
	var err error
	if ended := e.call(func(now time.Time) {
		if err = e.checkVoters(voters); err != nil {
			return
		}
		for _, v := range e.vips {
			p := preferences[v.Name]
			v.machine.Reconfigure(now, voters, p.Priorities, p.Preempt)
		}
	}); ended != nil {
		return ended
	}
	return err
}
