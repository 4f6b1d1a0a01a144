package app

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/calls"
	"github.com/kshalb/kshalb/internal/status"
)

const (
	statusTopic = "status" // of a question to a peer: what it says of itself and the others
	// statusLimit is what the peers may take together; whoever asks waits a second.
	statusLimit = 600 * time.Millisecond
	// answersLife is for how long answers are told again, so that asking a node
	// often does not make it ask its peers often.
	answersLife = 500 * time.Millisecond
)

// heardOf is what the peers have answered, for all who ask for it at the same time.
type heardOf struct {
	mu      sync.Mutex
	at      time.Time
	answers []status.Answer
}

// statusAsked is what this node says, for a peer.
func (a *App) statusAsked(context.Context, string, []byte) ([]byte, error) {
	n := a.Status()
	return json.Marshal(status.Answer{
		From: n.Name, Version: n.Version, Digest: n.Digest, Ready: n.Ready, Reason: n.Reason, VIPs: n.VIPs, Peers: n.Peers,
	})
}

// ClusterStatus is [App.Status] with what the peers answer. It is safe for
// concurrent use, takes 0.6 s at most, and asks each peer twice a second at most.
func (a *App) ClusterStatus(ctx context.Context) status.Node {
	answers := a.askPeers(ctx)
	n := a.Status()
	n.Answers = answers
	return n
}

func (a *App) askPeers(ctx context.Context) []status.Answer {
	if a.cluster == nil {
		return nil
	}
	a.heardOf.mu.Lock()
	defer a.heardOf.mu.Unlock()
	if time.Since(a.heardOf.at) < answersLife {
		return a.heardOf.answers
	}
	// One who goes away does not spoil it for the others who wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusLimit)
	defer cancel()
	peers := others(a.reloads.inForce.Load(), a.self.Name)
	answers := make([]status.Answer, len(peers))
	var each sync.WaitGroup
	for i, p := range peers {
		each.Go(func() { answers[i] = a.statusOf(ctx, p.Name) })
	}
	each.Wait()
	a.heardOf.at, a.heardOf.answers = time.Now(), answers
	return answers
}

func (a *App) statusOf(ctx context.Context, peer string) (answer status.Answer) {
	body, err := a.cluster.calls.Ask(ctx, peer, statusTopic, []byte("{}"))
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	told := new(calls.Told)
	switch {
	case errors.As(err, &told):
		answer = status.Answer{Err: told.Words}
	case err != nil && ctx.Err() != nil:
		answer = status.Answer{Err: "gave no answer"}
	case err != nil:
		answer = status.Answer{Err: err.Error()}
	}
	answer.From = peer // whatever it calls itself
	answer.Clean()
	return answer
}
