package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

const (
	maxAnswer = 16 << 20 // bounds what a client reads
	maxError  = 64 << 10

	answerTimeout = time.Second // what a kshalb may take to answer
)

// request is one question to the kshalb behind a unix socket.
type request struct {
	socket, method, path string
	body                 []byte
	timeout              time.Duration
}

// FetchStatus asks the kshalb behind a unix socket for its status. It takes a
// second at most. The error wraps the system's and says what to look at.
func FetchStatus(ctx context.Context, socket string) (node status.Node, err error) {
	return node, query(ctx, request{socket, http.MethodGet, StatusPath, nil, answerTimeout}, &node)
}

// FetchCluster is [FetchStatus] with the answers of the peers.
func FetchCluster(ctx context.Context, socket string) (node status.Node, err error) {
	return node, query(ctx, request{socket, http.MethodGet, ClusterPath, nil, answerTimeout}, &node)
}

// query reads the answer to r into v.
func query(ctx context.Context, r request, v any) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := r.do(ctx, v)
	said := new(answered)
	switch {
	case errors.As(err, &said):
		return said.err // by kshalb itself, so it needs no more words
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v: is it overloaded or stopped? (%w)", r.timeout, context.DeadlineExceeded)
	case errors.As(err, new(*net.OpError)):
		err = fmt.Errorf("%w (is kshalb running, and are you root?)", cause(err))
	}
	if err != nil {
		return fmt.Errorf("ask %s: %w", r.socket, err)
	}
	return nil
}

// answered is an error that kshalb told in words.
type answered struct{ err error }

func (a *answered) Error() string { return a.err.Error() }

func (r request) do(ctx context.Context, v any) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, r.method, "http://kshalb"+r.path, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refused(r, resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// refused is why a kshalb did not do what it was asked for, in its own words.
func refused(r request, resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	words := strings.TrimSpace(string(text))
	switch {
	case resp.StatusCode == http.StatusNotFound && strings.HasPrefix(words, "404 "):
		return fmt.Errorf("got %s: is it an older kshalb?", resp.Status)
	case r.method == http.MethodGet || err != nil || words == "":
		return fmt.Errorf("got %s", resp.Status)
	case resp.StatusCode == http.StatusUnprocessableEntity:
		return &answered{&BadConfig{words}}
	}
	return &answered{errors.New(words)}
}
