package proxy_test

import (
	"flag"
	"net"
	"net/netip"
	"testing"

	"github.com/kshalb/kshalb/pkg/proxy"
)

var large = flag.Bool("proxy.large", false, "let the conformance suite relay 1 GiB each way, too")

// balancer is what most cases need of what stands between clients and backends.
type balancer interface {
	// Addr is where clients connect.
	Addr() netip.AddrPort
	// dial connects a client; connect waits for the backend's end of it, too.
	dial(t testing.TB) *net.TCPConn
	connect(t testing.TB, b *backend) (client, server *net.TCPConn)
	// clients is how many there are now, connecting ones too.
	clients(t testing.TB) int
}

// starter starts a balancer in front of backends that are ready. It ends with
// the test.
type starter func(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) balancer

// opener starts a Listener in front of backends that are ready.
type opener func(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) *front

func (open opener) start(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) balancer {
	t.Helper()
	return open(t, cfg, backends...)
}

// dataPaths are the ways to move bytes. Each has to pass all of conformance.
var dataPaths = map[string]opener{
	"event loops":           open,
	"event loops, PROXY v2": introduced,
}

// introduced is open where backends are told who connects. That takes away
// nothing: neither bytes, nor ends, nor what is counted.
func introduced(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) *front {
	t.Helper()
	cfg.ProxyProtocol = 2
	return open(t, cfg, backends...)
}

// claim is one case of the suite: about every good balancer, or about what only
// a Listener has (its metrics, Status, Reset, readiness).
type claim struct {
	any func(*testing.T, starter)
	own func(*testing.T, opener)
}

// conformance is what holds for a connection through a listener, whatever moves
// its bytes.
var conformance = map[string]claim{
	"every size, both ways at once":   {any: everySize},
	"ipv4, ipv6 and mixed":            {any: families},
	"the client speaks first":         {any: clientFirst},
	"the server speaks first":         {any: serverFirst},
	"nobody speaks":                   {any: nobodySpeaks},
	"small and large in turn":         {any: smallAndLarge},
	"byte by byte":                    {any: byteByByte},
	"small writes, pipelined":         {any: pipelined},
	"a FIN in the last segment":       {any: finWithData},
	"an urgent byte":                  {any: urgentByte},
	"an urgent byte amid much":        {any: urgentAmidMuch},
	"a reader that stops":             {any: readerStops},
	"a reader that stops, repeatedly": {any: readerPauses},
	"a writer that dribbles":          {any: dribbles},
	"readers one byte at a time":      {any: byteReaders},
	"tiny windows":                    {any: tinyWindows},
	"a close before a slow reader":    {any: closeBeforeSlowReader},

	"the client half-closes":         {any: clientHalfCloses},
	"the server half-closes":         {any: serverHalfCloses},
	"both half-close at once":        {any: bothHalfClose},
	"both close at once":             {any: bothClose},
	"a reset by the client":          {any: clientResets},
	"a reset by the server":          {any: serverResets},
	"both reset at once":             {any: bothReset},
	"a reset after half-close":       {any: resetAfterHalfClose},
	"the reader resets amid much":    {any: readerResets},
	"the writer resets amid much":    {any: writerResets},
	"a stopped reader resets":        {any: stoppedReaderResets},
	"a stopped reader is reset":      {any: stoppedReaderIsReset},
	"a stopped reader closes":        {any: stoppedReaderCloses},
	"a reset of a half-closed bulk":  {any: halfClosedBulkResets},
	"a close with unread bytes":      {any: closesUnread},
	"a reset behind unread bytes":    {any: resetBehindUnread},
	"bytes before a close":           {any: bytesBeforeClose},
	"ends right after accept":        {any: endsAfterAccept},
	"ends right after connect":       {any: endsAfterConnect},
	"a reset while connecting":       {any: resetWhileConnecting},
	"a reset of a query, connecting": {any: resetOfQueryConnecting},
	"a close while connecting":       {any: closeWhileConnecting},
	"bytes and FIN while connecting": {any: finWhileConnecting},
	"much while connecting":          {any: muchWhileConnecting},

	"idle":                       {any: idleEnds},
	"idle is not slow":           {any: idleSpares},
	"half-closed and silent":     {any: halfClosedEnds},
	"half-closed and slow":       {any: halfClosedSpares},
	"half-closed, a slow reader": {any: halfClosedSlowReader},

	"round robin":           {own: roundRobin},
	"a refused connect":     {any: refusedConnect},
	"a blackholed connect":  {any: blackholedConnect},
	"all connects fail":     {any: allFail},
	"failures are counted":  {own: failuresCounted},
	"nothing ready":         {own: nothingReady},
	"a limit of clients":    {own: limitConnections},
	"allowed sources":       {own: allowedSources},
	"reset all":             {own: resetAll},
	"reset all, connecting": {own: resetConnecting},
	"reset all amid much":   {own: resetAmidMuch},
	"reset of one backend":  {own: resetOfOne},

	"drain to the end":         {own: drainToTheEnd},
	"drain no longer":          {own: drainNoLonger},
	"drain while connecting":   {own: drainConnecting},
	"counted":                  {own: counted},
	"counted while it goes on": {own: countedMeanwhile},
}

func TestConformance(t *testing.T) {
	for path, open := range dataPaths {
		t.Run(path, func(t *testing.T) {
			for name, c := range conformance {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					if c.own != nil {
						c.own(t, open)
					} else {
						c.any(t, open.start)
					}
				})
			}
		})
	}
}
