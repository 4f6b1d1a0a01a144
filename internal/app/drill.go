package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/calls"
	"github.com/kshalb/kshalb/internal/drill/fault"
)

const (
	drillTopic = "drill" // of an order to a peer
	// drillNotice is between the answer to an order and the fault, which might keep
	// it from arriving.
	drillNotice = 100 * time.Millisecond
	// orderLimit is what a peer may take to answer an order: a handover is the longest.
	orderLimit = handoverLimit + 4*time.Second
)

// drillQuestion is what a peer is asked.
type drillQuestion struct {
	Do   admin.DrillStep `json:"do"`
	Kind fault.Kind      `json:"kind,omitempty"`
	Hold time.Duration   `json:"hold,omitempty"` // nanoseconds
}

// drills are the faults of this node, and the one that is to befall it next.
type drills struct {
	faults *fault.Faults
	next   chan func(context.Context) error // one slot, since faults come one by one
	log    *slog.Logger
}

func (a *App) newDrills() *drills {
	return &drills{
		faults: fault.New(fault.Config{Interfaces: a.drillInterfaces, Supervised: a.opts.Supervised, Log: a.log}),
		next:   make(chan func(context.Context) error, 1),
		log:    a.log,
	}
}

// run lets faults befall this node, until ctx ends and undoes the one that lasts.
func (d *drills) run(ctx context.Context) error {
	for {
		select {
		case befall := <-d.next:
			select {
			case <-time.After(drillNotice):
			case <-ctx.Done():
				return nil
			}
			if err := befall(ctx); err != nil {
				d.log.Error("a drill: the fault went wrong, and is over", "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// obey does what is asked of this node itself.
func (d *drills) obey(do admin.DrillStep, kind fault.Kind, hold time.Duration) error {
	switch do {
	case admin.DrillAble:
		return d.faults.Able(kind)
	case admin.DrillInflict:
		befall, err := d.faults.Prepare(kind, hold)
		if err == nil {
			d.next <- befall
		}
		return err
	}
	return fmt.Errorf("does not know the step %q of a drill; is it an older kshalb?", do)
}

// drill does what the admin socket asks for, of this node or of a peer.
func (a *App) drill(ctx context.Context, o admin.DrillOrder) error {
	if a.cluster == nil {
		return admin.Refuse(http.StatusNotFound, errors.New("drill: this kshalb has no VIP"))
	}
	if o.Node == a.self.Name {
		a.log.Warn("a drill is asked for on this host", "step", string(o.Do), "kind", string(o.Kind), "hold", o.Hold)
		if err := a.drills.obey(o.Do, o.Kind, o.Hold); err != nil {
			return admin.Refuse(http.StatusConflict, fmt.Errorf("%s: %w", o.Node, err))
		}
		return nil
	}
	return a.ask(ctx, o.Node, drillTopic, drillQuestion{o.Do, o.Kind, o.Hold}, &struct{}{})
}

// ask has a peer obey, and reads its answer into done. A client that goes away
// takes nothing back.
func (a *App) ask(ctx context.Context, node, topic string, question, done any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orderLimit)
	defer cancel()
	answer, err := a.cluster.calls.Ask(ctx, node, topic, body)
	if errors.As(err, new(*calls.Told)) {
		return admin.Refuse(http.StatusConflict, err)
	}
	if err != nil {
		return admin.Refuse(http.StatusGatewayTimeout, err)
	}
	return json.Unmarshal(answer, done)
}

// obeys says whether peers may give orders here.
func (a *App) obeys() error {
	if a.reloads.inForce.Load().Cluster.Gossip.Insecure {
		return errors.New("obeys nobody, since cluster.gossip is insecure there and anybody could ask; run this on that node, or give all a keyFile")
	}
	return nil
}

// drilled does what a peer asks for.
func (a *App) drilled(_ context.Context, from string, question []byte) ([]byte, error) {
	var q drillQuestion
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, err
	}
	a.log.Warn("a drill is asked for by a peer", "by", from, "step", string(q.Do), "kind", string(q.Kind), "hold", q.Hold)
	if err := a.obeys(); err != nil {
		return nil, err
	}
	return json.RawMessage("{}"), a.drills.obey(q.Do, q.Kind, q.Hold)
}

// drillInterfaces are those that carry the VIPs, and those that lead to the peers.
func (a *App) drillInterfaces() ([]string, error) {
	cfg := a.reloads.inForce.Load()
	var names []string
	var addrs []netip.Addr
	for _, f := range a.floats {
		if name := cmp.Or(f.manager.Status().Interface, f.cfg.Interface); name != "" {
			names = append(names, name)
		} else {
			addrs = append(addrs, f.cfg.Address)
		}
	}
	for _, p := range others(cfg, a.self.Name) {
		addrs = append(addrs, p.Address.Addr())
	}
	toward, err := fault.Toward(addrs...)
	names = append(names, toward...)
	slices.Sort(names)
	return slices.Compact(names), err
}
