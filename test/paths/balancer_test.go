package paths

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
	"github.com/kshalb/kshalb/pkg/vip"
)

// balancerMark makes the test binary a balancer that speaks with its clients'
// addresses: where it listens, and its backends.
const balancerMark = "KSHALB_TEST_TRANSPARENT"

// timeouts are those of the balancer.
var timeouts = proxy.Timeouts{Connect: 500 * time.Millisecond, Drain: time.Second}

// balance balances until it is told to end.
func balance(words []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	var backends []netip.AddrPort
	var hosts []netip.Addr
	for _, w := range words[1:] {
		b := netip.MustParseAddrPort(w)
		backends, hosts = append(backends, b), append(hosts, b.Addr())
	}
	warnings, err := vip.CheckAnswers(hosts)
	for _, w := range warnings {
		log.Warn(w)
	}
	if err != nil {
		return err
	}
	undo, err := vip.KeepAnswers(log)
	if err != nil {
		return err
	}
	pool := proxy.NewPool(proxy.PoolConfig{}, proxy.Even(backends...))
	for _, b := range backends {
		pool.SetState(b, proxy.Up)
	}
	loops := proxy.NewLoops(2)
	cfg := proxy.Config{
		Name: "test", Bind: netip.MustParseAddrPort(words[0]), Timeouts: timeouts, Transparent: true,
		Report: func(b netip.AddrPort, e proxy.Evidence) { log.Warn("report", "backend", b, "reason", e.Reason) },
	}
	l := proxy.NewListener(cfg, pool, loops, log, proxy.NewMetrics(nil))
	if err := l.Listen(); err != nil {
		return errors.Join(err, undo())
	}
	loopCtx, endLoops := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loops.Run(loopCtx) }()
	fmt.Println("ready")
	err = l.Run(ctx)
	endLoops()
	return errors.Join(err, <-ended, undo())
}

// play is what the test binary does as another process, and its exit code.
func play(role string) int {
	if err := balance(strings.Fields(role)); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}
