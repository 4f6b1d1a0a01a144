package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/kshalb/kshalb/internal/doctor"
)

// Views are what the peers of a node see, for the doctor.
type Views struct {
	Node  string                 `json:"node"` // who asked them; "" is no peer
	Views map[string]doctor.View `json:"views"`
	Lost  map[string]string      `json:"lost"` // why a peer gave none

	Asked map[string]doctor.Asked `json:"asked,omitempty"` // when
}

// serveViews has the peers looked at.
func serveViews(w http.ResponseWriter, r *http.Request, look func(ctx context.Context, domains []string) (Views, error), log *slog.Logger) {
	var ask struct{ Domains []string }
	if err := decode(w, r, &ask); err != nil {
		http.Error(w, fmt.Sprintf(`look: the body must be {"domains": [NAME, ...]} (%v)`, err), http.StatusBadRequest)
		return
	}
	all, err := look(r.Context(), ask.Domains)
	answer(w, all, err, log)
}

// viewsTimeout is what looking at all peers may take.
const viewsTimeout = 20 * time.Second

// AskViews asks the kshalb behind a unix socket to have its peers look at their
// hosts, and at names of the control plane. It takes some seconds, twenty at most.
func AskViews(ctx context.Context, socket string, domains []string) (all Views, err error) {
	body, err := json.Marshal(map[string][]string{"domains": domains})
	if err != nil {
		return all, err
	}
	return all, query(ctx, request{socket, http.MethodPost, ViewsPath, body, viewsTimeout}, &all)
}
