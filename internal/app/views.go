package app

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/calls"
	"github.com/kshalb/kshalb/internal/doctor"
	"github.com/kshalb/kshalb/internal/status"
)

const (
	viewTopic = "view" // of a question to a peer: what it sees
	// viewLimit is what a peer may take: its look, and both ways of the call.
	viewLimit = 14 * time.Second
)

// viewQuestion is what a peer is asked.
type viewQuestion struct {
	Domains []string `json:"domains,omitempty"`
}

// newCalls are the questions between this node and its peers.
func (a *App) newCalls(send func(node string, message []byte) error) *calls.Calls {
	return calls.New(calls.Config{Self: a.self.Name, Send: send, Limit: viewLimit, Handlers: map[string]calls.Handler{
		viewTopic:     a.view,
		statusTopic:   a.statusAsked,
		drillTopic:    a.drilled,
		handoverTopic: a.handedOver,
	}})
}

// view is what this node sees, for a peer.
func (a *App) view(ctx context.Context, _ string, question []byte) ([]byte, error) {
	var q viewQuestion
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	if !a.looking.TryLock() {
		return nil, errors.New("is being looked at by another doctor; try again in ten seconds")
	}
	defer a.looking.Unlock()
	l := doctor.Looker{
		Config: a.reloads.inForce.Load(), Node: a.self.Name, Version: a.opts.Version, Domains: q.Domains,
		Held: a.held, Alive: a.alive, Layers: a.layers,
	}
	return json.Marshal(l.Look(ctx))
}

// views asks the peers what they see.
func (a *App) views(ctx context.Context, domains []string) (admin.Views, error) {
	all := admin.Views{Node: a.self.Name, Views: make(map[string]doctor.View), Lost: make(map[string]string), Asked: make(map[string]doctor.Asked)}
	if a.cluster == nil {
		return all, nil
	}
	question, err := json.Marshal(viewQuestion{domains})
	if err != nil {
		return all, err
	}
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, p := range others(a.reloads.inForce.Load(), a.self.Name) {
		asking.Go(func() {
			sent := time.Now()
			v, err := a.viewOf(ctx, p.Name, question)
			heard := time.Now()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all.Lost[p.Name] = err.Error()
				return
			}
			all.Views[p.Name], all.Asked[p.Name] = v, doctor.Asked{Sent: sent, Heard: heard}
		})
	}
	asking.Wait()
	return all, nil
}

func (a *App) viewOf(ctx context.Context, node string, question []byte) (v doctor.View, err error) {
	answer, err := a.cluster.calls.Ask(ctx, node, viewTopic, question)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(answer, &v)
}

func (a *App) held() map[string]bool {
	all := make(map[string]bool)
	for _, f := range a.floats {
		all[f.cfg.Name] = f.holds.Load()
	}
	return all
}

func (a *App) alive() map[string]string {
	all := make(map[string]string)
	for _, p := range a.cluster.gossip.Peers() {
		all[p.Name] = string(p.State)
	}
	return all
}

func (a *App) layers() map[string][]status.Fence {
	all := make(map[string][]status.Fence)
	for _, f := range a.floats {
		var v status.VIP
		f.addStatus(&v)
		all[f.cfg.Name] = v.Fence
	}
	return all
}
