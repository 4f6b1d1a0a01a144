package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

// maxStatus bounds what a client reads.
const maxStatus = 16 << 20

// FetchStatus asks the kshalb behind a unix socket for its status. It takes a
// second at most.
func FetchStatus(ctx context.Context, socket string) (status.Node, error) {
	var node status.Node
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kshalb"+StatusPath, http.NoBody)
	if err != nil {
		return node, fmt.Errorf("ask %s: %w", socket, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return node, fmt.Errorf("ask %s: %w (is kshalb running, and are you root?)", socket, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return node, fmt.Errorf("ask %s: got %s", socket, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&node); err != nil {
		return node, fmt.Errorf("read the status from %s: %w", socket, err)
	}
	return node, nil
}
