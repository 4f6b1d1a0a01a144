package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

// DrillOrder is what a drill wants of a node.
type DrillOrder struct {
	Do   DrillStep     `json:"do"`
	Node string        `json:"node"` // this one, or a peer
	Kind fault.Kind    `json:"kind"`
	Hold time.Duration `json:"hold,omitempty"` // nanoseconds
}

// DrillStep is a part of a drill.
type DrillStep string

// The steps of a drill.
const (
	DrillAble    DrillStep = "able"    // can the fault befall the node, and be undone?
	DrillInflict DrillStep = "inflict" // let it, a moment after the answer
)

// serveDrill has a drill obeyed.
func serveDrill(w http.ResponseWriter, r *http.Request, obey func(context.Context, DrillOrder) error, log *slog.Logger) {
	var ask DrillOrder
	err := decode(w, r, &ask)
	if err != nil || ask.Node == "" || ask.Do != DrillAble && ask.Do != DrillInflict {
		http.Error(w, fmt.Sprintf(`drill: the body must be {"do": "able" or "inflict", "node": NAME, "kind": KIND, "hold": NANOSECONDS} (%v)`, err), http.StatusBadRequest)
		return
	}
	answer(w, struct{}{}, obey(r.Context(), ask), log)
}

// DrillClient asks the kshalb behind a unix socket for what a drill needs. It is
// safe for concurrent use.
type DrillClient struct{ socket string }

// Drills returns a client. It opens nothing.
func Drills(socket string) *DrillClient { return &DrillClient{socket} }

// Status is [FetchStatus].
func (c *DrillClient) Status(ctx context.Context) (status.Node, error) {
	return FetchStatus(ctx, c.socket)
}

// Handover is [AskHandover]. Whichever node holds the VIP is asked.
func (c *DrillClient) Handover(ctx context.Context, vip, node string) error {
	_, err := AskHandover(ctx, c.socket, vip, node)
	return err
}

// Able asks a node whether a fault could befall it and would be undone; nil is
// yes. It takes ten seconds at most.
func (c *DrillClient) Able(ctx context.Context, node string, kind fault.Kind) error {
	return c.order(ctx, DrillOrder{Do: DrillAble, Node: node, Kind: kind})
}

// Inflict has a fault befall a node for hold. It returns when the node has agreed,
// which is a tenth of a second before the fault begins.
func (c *DrillClient) Inflict(ctx context.Context, node string, kind fault.Kind, hold time.Duration) error {
	return c.order(ctx, DrillOrder{Do: DrillInflict, Node: node, Kind: kind, Hold: hold})
}

func (c *DrillClient) order(ctx context.Context, o DrillOrder) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var done struct{}
	return query(ctx, request{c.socket, http.MethodPost, DrillPath, body, changeTimeout}, &done)
}
