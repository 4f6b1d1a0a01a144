package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

// maxStatus bounds what a client reads.
const maxStatus = 16 << 20

// answerTimeout is what a kshalb may take to answer.
const answerTimeout = time.Second

// FetchStatus asks the kshalb behind a unix socket for its status. It takes a
// second at most. The error wraps the system's and says what to look at.
func FetchStatus(ctx context.Context, socket string) (status.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	node, err := fetch(ctx, socket)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v: is it overloaded or stopped? (%w)", answerTimeout, context.DeadlineExceeded)
	case errors.As(err, new(*net.OpError)):
		err = fmt.Errorf("%w (is kshalb running, and are you root?)", cause(err))
	}
	if err != nil {
		return status.Node{}, fmt.Errorf("ask %s: %w", socket, err)
	}
	return node, nil
}

func fetch(ctx context.Context, socket string) (node status.Node, err error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://kshalb"+StatusPath, http.NoBody)
	if err != nil {
		return node, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return node, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return node, fmt.Errorf("got %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&node); err != nil {
		return node, fmt.Errorf("read the status: %w", err)
	}
	return node, nil
}
