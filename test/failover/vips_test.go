package failover

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

const (
	manyVIPs  = 64
	firstMany = 100 // the last number of the first one's address, beside that of the listener
	renewal   = 100 * time.Millisecond
)

// manyConfig is 64 VIPs, IPv4 and IPv6 in turn, of which each master prefers a third.
func manyConfig() string {
	vips := []string{"{name: apiserver, address: 192.168.0.10, priorities: {master1: 100}, preempt: true}"}
	for i := 1; i < manyVIPs; i++ {
		vips = append(vips, fmt.Sprintf("{name: vip-%02d, address: '%s', priorities: {master%d: 100}, preempt: true}",
			i, cluster.Address(byte(firstMany+i), i%2 == 1).Addr(), i%3+1))
	}
	return "[" + strings.Join(vips, ", ") + "]"
}

// Sixty-four addresses are spread over three masters as their priorities say. A
// master that dies takes a third of them along, and all are elsewhere in the same
// time as one would be. The masters say no more to each other than for one.
func TestManyVIPs(t *testing.T) {
	c := masters(t, cluster.Options{VIPs: manyConfig()})
	s := observe(t, c)
	for _, m := range c.Masters {
		must(t, m.WaitStatus(s.ctx, spread))
	}
	s.holder, _ = s.owner(time.Now())
	s.quiet()

	fault := time.Now()
	must(t, s.holder.Kshalb().Kill())
	s.moves(fault)
	for _, m := range c.Masters {
		if m != s.holder {
			must(t, m.WaitStatus(s.ctx, withoutHolder(s.holder.Name())))
		}
	}
	t.Logf("all %d VIPs have a living holder %v after the fault", manyVIPs, time.Since(fault))
	labtest.OneOwner(t, s.watch)
}

// spread says whether each VIP is with the master that prefers it.
func spread(n status.Node) error {
	for i, v := range n.VIPs {
		if want := fmt.Sprintf("master%d", i%3+1); v.Holder != want || v.Assigned != (n.Name == want) {
			return fmt.Errorf("%s is with %q, want %s; assigned: %v, %s", v.Name, v.Holder, want, v.Assigned, v.Reason)
		}
	}
	return nil
}

func withoutHolder(gone string) func(status.Node) error {
	return func(n status.Node) error {
		i := slices.IndexFunc(n.VIPs, func(v status.VIP) bool { return v.Holder == "" || v.Holder == gone })
		if i >= 0 {
			return fmt.Errorf("%s is with %q", n.VIPs[i].Name, n.VIPs[i].Holder)
		}
		return nil
	}
}

// quiet asserts how many datagrams a master sends: with three holders each asks
// two others, and answers two, in each interval; a third for memberlist.
func (s *scene) quiet() {
	s.Helper()
	const intervals = 30
	before, busy := datagrams(s), s.cpu()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(s.ctx, intervals*renewal)
	defer cancel()
	<-ctx.Done()
	took := time.Since(begin)
	want := float64(took/renewal) * 4 * 4 / 3
	after, busier := datagrams(s), s.cpu()
	for i, m := range s.Masters {
		sent := after[i] - before[i]
		s.Logf("%s: %d datagrams in %v, %.1f %% of a core", m.Name(), sent, took, 100*(busier[i]-busy[i]).Seconds()/took.Seconds())
		if float64(sent) > want {
			s.Errorf("%s sent %d datagrams in %v, want %.0f at most", m.Name(), sent, took, want)
		}
	}
}

// datagrams is how many each master has sent.
func datagrams(s *scene) []int {
	s.Helper()
	var all []int
	for _, m := range s.Masters {
		n, err := udpSent(m.Host)
		must(s.T, err)
		all = append(all, n)
	}
	return all
}

// udpSent reads OutDatagrams of the host (proc_net_snmp; RFC 4113).
func udpSent(h *lab.Host) (n int, err error) {
	err = h.Do(func() error {
		f, err := os.Open("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		defer f.Close()
		n, err = outDatagrams(f)
		return err
	})
	return n, err
}

func outDatagrams(r io.Reader) (int, error) {
	var names []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case fields[0] != "Udp:":
		case names == nil:
			names = fields
		default:
			return strconv.Atoi(fields[slices.Index(names, "OutDatagrams")])
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// cpu is the processor time that kshalb of each master has used.
func (s *scene) cpu() []time.Duration {
	s.Helper()
	const tick = 10 * time.Millisecond // USER_HZ
	var all []time.Duration
	for _, m := range s.Masters {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.Kshalb().PID()))
		must(s.T, err)
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest) // from field 3 of proc_pid_stat(5) on
		user, err := strconv.Atoi(fields[11])
		must(s.T, err)
		system, err := strconv.Atoi(fields[12])
		must(s.T, err)
		all = append(all, time.Duration(user+system)*tick)
	}
	return all
}
