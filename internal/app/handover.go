package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/pkg/election"
)

const (
	// handoverLimit is how long a handover may take: far longer than a lease.
	handoverLimit = 5 * time.Second
	// handoverLook is how often this node looks who holds meanwhile.
	handoverLook = time.Millisecond
)

// giver is the part of an Elector that a handover needs.
type giver interface {
	Handover(vip, node string) error
	Status() []election.Status
}

// handover gives a VIP to node, or, with "", to whichever is best able to hold,
// and waits until this node knows who holds it then. A client that goes away
// takes nothing back.
func handover(ctx context.Context, g giver, self, vip, node string) (admin.Handover, error) {
	h := admin.Handover{VIP: vip, From: self}
	begin := time.Now()
	if _, known := statusOf(g, vip); !known {
		return h, admin.Refuse(http.StatusNotFound, fmt.Errorf("hand %s over: there is no such VIP here", vip))
	}
	if err := g.Handover(vip, node); err != nil {
		return h, admin.Refuse(http.StatusConflict, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handoverLimit)
	defer cancel()
	s, err := awaitHolder(ctx, g, vip)
	if err != nil {
		return h, err
	}
	h.To, h.Term, h.Milliseconds = s.Holder, s.Term, time.Since(begin).Milliseconds()
	switch {
	case s.Holder == self:
		err = fmt.Errorf("hand %s over: nobody took it, so %s holds it again", vip, self)
	case node != "" && s.Holder != node:
		err = fmt.Errorf("hand %s over: %s took it before %s could", vip, s.Holder, node)
	}
	return h, admin.Refuse(http.StatusConflict, err)
}

// awaitHolder waits until the VIP, which this node has let go of, has a holder.
func awaitHolder(ctx context.Context, g giver, vip string) (election.Status, error) {
	look := time.NewTicker(handoverLook)
	defer look.Stop()
	for {
		s, known := statusOf(g, vip)
		switch {
		case !known:
			return s, admin.Refuse(http.StatusServiceUnavailable, fmt.Errorf("hand %s over: %w", vip, election.ErrEnded))
		case s.Phase != election.Resigning && s.Holder != "":
			return s, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			err := errors.New("this node let go of it, and does not know of a new holder after " + handoverLimit.String())
			return s, admin.Refuse(http.StatusGatewayTimeout, fmt.Errorf("hand %s over: %w; kshalb status shows the peers", vip, err))
		}
	}
}

func statusOf(g giver, vip string) (s election.Status, ok bool) {
	all := g.Status()
	i := slices.IndexFunc(all, func(s election.Status) bool { return s.VIP == vip })
	if i < 0 {
		return s, false
	}
	return all[i], true
}

// changes are what the admin socket can ask for.
func (a *App) changes() admin.Changes {
	return admin.Changes{
		Reload:   a.Reload,
		Backend:  a.order,
		Views:    a.views,
		Drill:    a.drill,
		Handover: a.handover,
	}
}
