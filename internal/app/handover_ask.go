package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/kshalb/kshalb/internal/admin"
)

const handoverTopic = "handover" // of an order to the holder of a VIP

// handoverQuestion is what the holder is asked.
type handoverQuestion struct {
	VIP string `json:"vip"`
	To  string `json:"to,omitempty"` // "" is whoever is best able
}

// handover has the holder of a VIP, this node or another one, give it to node.
func (a *App) handover(ctx context.Context, vip, node string) (done admin.Handover, err error) {
	if a.cluster == nil {
		return done, admin.Refuse(http.StatusNotFound, fmt.Errorf("hand %s over: this kshalb has no VIP", vip))
	}
	if s, _ := statusOf(a.cluster.elector, vip); s.Holder != "" && s.Holder != a.self.Name {
		return done, a.ask(ctx, s.Holder, handoverTopic, handoverQuestion{vip, node}, &done)
	}
	return handover(ctx, a.cluster.elector, a.self.Name, vip, node)
}

// handedOver is what a peer asks of the holder. It is not passed on: who holds the
// VIP may be seen differently by two.
func (a *App) handedOver(ctx context.Context, from string, question []byte) ([]byte, error) {
	var q handoverQuestion
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	a.log.Info("a handover is asked for by a peer", "by", from, "vip", q.VIP, "to", q.To)
	if err := a.obeys(); err != nil {
		return nil, err
	}
	done, err := handover(ctx, a.cluster.elector, a.self.Name, q.VIP, q.To)
	if err != nil {
		return nil, err
	}
	return json.Marshal(done)
}
