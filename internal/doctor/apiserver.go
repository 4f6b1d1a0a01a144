package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/config"
)

// APIServer is how the API server of a host was started.
type APIServer struct {
	Where string            `json:"where,omitempty"` // its process, or its manifest; "": there is none
	Flags map[string]string `json:"flags,omitempty"` // of apiserverFlags, those that were given
	Etcd  []string          `json:"etcd,omitempty"`  // host and port of each --etcd-servers
}

// apiserverFlags are those that concern kshalb. No other leaves the host.
var apiserverFlags = []string{
	"advertise-address", "anonymous-auth", "bind-address", "goaway-chance", "permit-address-sharing",
	"permit-port-sharing", "secure-port", "shutdown-delay-duration", "shutdown-send-retry-after",
}

func lookAPIServer(_ context.Context, l *Looker, v *View) error {
	args, where, err := l.component("kube-apiserver")
	if err != nil {
		return err
	}
	a := APIServer{Where: where, Flags: make(map[string]string)}
	for _, name := range apiserverFlags {
		if value, ok := flag(args, name); ok {
			a.Flags[name] = value
		}
	}
	servers, _ := flag(args, "etcd-servers")
	for server := range strings.SplitSeq(servers, ",") {
		if s, ok := parseServer(strings.TrimSpace(server)); ok {
			a.Etcd = append(a.Etcd, net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))))
		}
	}
	v.APIServer = &a
	return nil
}

// component is a part of the control plane: the arguments of its process, or else
// those of its manifest.
func (l *Looker) component(name string) (args []string, where string, err error) {
	running, err := l.processes(name)
	if err != nil {
		return nil, "", err
	}
	if len(running) > 0 {
		return running[0].args, running[0].String(), nil
	}
	manifests, err := l.manifests()
	for _, m := range manifests {
		if strings.HasSuffix(m.file, "/"+name+".yaml") || strings.HasSuffix(m.file, "/"+name+".yml") {
			return m.flags(), m.file, nil
		}
	}
	return nil, "", err
}

// judgeAPIServer finds flags by which an API server and kshalb do not fit.
func judgeAPIServer(c Case) (all []Finding) {
	for _, node := range c.Nodes() {
		a := c.Views[node].APIServer
		switch {
		case a == nil:
		case a.Where == "":
			all = append(all, Finding{Level: Fine, Node: node, Saw: "no kube-apiserver of its own runs here"})
		default:
			all = append(all, orFine(c.judgeFlags(node, *a), node, a.String())...)
		}
	}
	return all
}

func (c Case) judgeFlags(node string, a APIServer) (found []Finding) {
	own := c.ownAddress(node)
	fault := func(why, mend, format string, args ...any) {
		found = append(found, Finding{Level: Fault, Why: why, Mend: mend, Saw: fmt.Sprintf(format, args...) + " (" + a.Where + ")"})
	}
	if v, ok := c.vipAt(parsed(a.Flags["advertise-address"])); ok {
		fault("every API server says that it is at the VIP: Service kubernetes has one address in place of all masters', and loses it when the VIP moves",
			fmt.Sprintf("write --advertise-address=%s in its manifest", own), "--advertise-address is VIP %s", v.Address)
	}
	bind := parsed(a.Flags["bind-address"])
	reached := !bind.IsValid() || bind.IsUnspecified() || bind.String() == own
	if v, ok := c.vipAt(bind); ok {
		fault("it starts only on the node that holds the VIP, and others reach it nowhere else",
			"write --bind-address=0.0.0.0 in its manifest", "--bind-address is VIP %s", v.Address)
	} else if to := c.backendAt(node); !reached && to != "" {
		fault(fmt.Sprintf("the listeners' backend %s is not served by it", to),
			fmt.Sprintf("write --bind-address=0.0.0.0 or %s in its manifest", own), "--bind-address is %s", bind)
	}
	if a.Flags["anonymous-auth"] == "false" {
		if l := c.asksAnonymously(); l != "" {
			fault("it answers 401 to whoever does not say who they are, so that its health check takes it for draining",
				"give check.certFile and keyFile, or write check.expect: [200, 401]",
				"--anonymous-auth is false, and listener %s asks without a certificate", l)
		}
	}
	return found
}

func parsed(text string) netip.Addr {
	a, _ := netip.ParseAddr(text) // the zero value is no VIP
	return a
}

// backendAt is a backend at a peer's own address, or "".
func (c Case) backendAt(node string) string {
	p, ok := c.peer(node)
	if !ok {
		return ""
	}
	for _, l := range c.Config.Listeners {
		for _, b := range l.Backends {
			if b.Address.Addr() == p.Address && l.Check.Path == "/readyz" {
				return b.Address.String()
			}
		}
	}
	return ""
}

// asksAnonymously is a listener that does, of an API server, and wants no less than
// an answer; or "".
func (c Case) asksAnonymously() string {
	i := slices.IndexFunc(c.Config.Listeners, func(l config.Listener) bool {
		return l.Check.Type == config.CheckHTTPS && l.Check.Path == "/readyz" && l.Check.CertFile == "" && !slices.Contains(l.Check.Expect, 401)
	})
	if i < 0 {
		return ""
	}
	return c.Config.Listeners[i].Name
}

// String is what was seen where nothing hurts, with what could be better.
func (a APIServer) String() string {
	words := []string{a.Where}
	if d := a.Flags["shutdown-delay-duration"]; d == "" || strings.HasPrefix(d, "0") {
		words = append(words, "--shutdown-delay-duration is 0: an orderly stop resets its connections at once;"+
			" with 10s or more kshalb sees that it drains, and sends new ones elsewhere")
	} else {
		words = append(words, "--shutdown-delay-duration is "+d)
	}
	if chance, err := strconv.ParseFloat(a.Flags["goaway-chance"], 64); err != nil || chance == 0 {
		words = append(words, "--goaway-chance is 0: connections stay where they are when a master comes back"+
			" (0.001, or a listener's rebalance, spreads them)")
	}
	if share, given := a.Flags["permit-port-sharing"]; given && share != "false" {
		words = append(words, "it shares its port (--permit-port-sharing)")
	}
	return strings.Join(words, "; ")
}
