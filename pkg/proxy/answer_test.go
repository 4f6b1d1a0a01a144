package proxy_test

import (
	"context"
	"testing"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// TestLoopsAnswer: not before they run, while they do, and when they have ended.
func TestLoopsAnswer(t *testing.T) {
	loops := proxy.NewLoops(3)
	answered := make(chan struct{})
	go func() { loops.Answer(); close(answered) }()
	select {
	case <-answered:
		t.Error("loops answered that do not run")
	default:
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- loops.Run(ctx) }()
	<-answered
	loops.Answer()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	loops.Answer()
}
