package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

// asked answers with what it is given, and notes what it was asked for.
type asked struct {
	calls []string
	err   error
}

func (a *asked) handler() http.Handler {
	src := Source{Status: func() status.Node { return status.Node{Name: "m1"} }, Metrics: prometheus.NewRegistry()}
	return NewSocketHandler(src, Changes{
		Handover: func(_ context.Context, vip, node string) (Handover, error) {
			a.calls = append(a.calls, "handover "+vip+" to "+node)
			return Handover{VIP: vip, From: "m1", To: "m2", Term: 8, Milliseconds: 12}, a.err
		},
		Backend: func(o BackendOrder) (BackendOrdered, error) {
			call := fmt.Sprintf("%s %s %s %s %s %t", o.Action, o.Backend, o.Listener, o.Who, o.Why, o.Force)
			if o.Weight != nil {
				call += fmt.Sprint(" ", *o.Weight)
			}
			a.calls = append(a.calls, call)
			return BackendOrdered{Backend: o.Backend, Order: "drained", Notes: []string{}}, a.err
		},
		Drill: func(_ context.Context, o DrillOrder) error {
			a.calls = append(a.calls, fmt.Sprintf("%s %s %s %v", o.Do, o.Kind, o.Node, o.Hold))
			return a.err
		},
		Reload: func(bool) (Reloaded, error) {
			a.calls = append(a.calls, "reload")
			return Reloaded{Changes: []string{"log.level: info -> debug"}}, a.err
		},
	}, quiet)
}

func TestSocketPaths(t *testing.T) {
	for _, test := range []struct {
		name, method, path, body string
		code                     int
		answer, call             string
	}{
		{"status", "GET", StatusPath, "", 200, `"node": "m1"`, ""},
		{"handover", "POST", HandoverPath, `{"vip": "v", "node": "m2"}`, 200, `"milliseconds": 12`, "handover v to m2"},
		{"handover to anybody", "POST", HandoverPath, `{"vip": "v"}`, 200, `"term": 8`, "handover v to "},
		{"handover of nothing", "POST", HandoverPath, `{}`, 400, "hand over: the body must be ", ""},
		{"handover without a body", "POST", HandoverPath, "", 400, "hand over: the body must be ", ""},
		{"handover with a word more", "POST", HandoverPath, `{"vip": "v", "force": true}`, 400, "hand over: the body must be ", ""},
		{"handover with a long body", "POST", HandoverPath, `{"vip": "` + strings.Repeat("v", maxRequest) + `"}`, 400, "hand over: the body must be ", ""},
		{"handover by GET", "GET", HandoverPath, "", 405, "", ""},
		{"drain", "POST", BackendsPath, `{"backend": "m1", "action": "drain"}`, 200, `"order": "drained"`, "drain m1    false"},
		{"drain with all", "POST", BackendsPath, `{"backend": "m1", "listener": "l", "action": "drain", "weight": null, "why": "y", "who": "w", "force": true}`, 200, `"notes": []`, "drain m1 l w y true"},
		{"weight", "POST", BackendsPath, `{"backend": "m1", "action": "weight", "weight": 0}`, 200, `"backend": "m1"`, "weight m1    false 0"},
		{"a weight of another type", "POST", BackendsPath, `{"backend": "m1", "action": "weight", "weight": "0"}`, 400, "order about a backend: ", ""},
		{"no action", "POST", BackendsPath, `{"backend": "m1"}`, 400, "order about a backend: ", ""},
		{"drain by GET", "GET", BackendsPath, "", 405, "", ""},
		{"drain of nothing", "POST", BackendsPath, `{"action": "drain"}`, 400, "order about a backend: the body must be ", ""},
		{"drain with a word more", "POST", BackendsPath, `{"backend": "m1", "action": "drain", "now": true}`, 400, "order about a backend: ", ""},
		{"fault", "POST", DrillPath, `{"do": "inflict", "node": "m1", "kind": "cut", "hold": 1000000000}`, 200, "{}", "inflict cut m1 1s"},
		{"can it be", "POST", DrillPath, `{"do": "able", "node": "m1", "kind": "cut"}`, 200, "{}", "able cut m1 0s"},
		{"fault nowhere", "POST", DrillPath, `{"do": "inflict", "kind": "cut"}`, 400, "drill: the body must be ", ""},
		{"another step of a drill", "POST", DrillPath, `{"do": "stop", "node": "m1"}`, 400, "drill: the body must be ", ""},
		{"fault by GET", "GET", DrillPath, "", 405, "", ""},
		{"reload", "POST", ReloadPath, "", 200, "log.level: info -> debug", "reload"},
		{"reload by GET", "GET", ReloadPath, "", 405, "", ""},
		{"post to the status", "POST", StatusPath, "", 405, "", ""},
		{"unknown", "POST", "/api/v1/drain", "", 404, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var a asked
			w := httptest.NewRecorder()
			a.handler().ServeHTTP(w, httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)))
			if w.Code != test.code || !strings.Contains(w.Body.String(), test.answer) {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, test.code, test.answer)
			}
			if got := strings.Join(a.calls, ", "); got != test.call {
				t.Errorf("asked for %q, want %q", got, test.call)
			}
		})
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	for code, err := range map[int]error{
		500: errors.New("no idea"),
		409: Refuse(http.StatusConflict, errors.New("m2 holds it")),
		422: Refuse(http.StatusUnprocessableEntity, errors.New("f:1: wrong")),
	} {
		a := asked{err: err}
		w := httptest.NewRecorder()
		a.handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, ReloadPath, http.NoBody))
		if w.Code != code || w.Body.String() != err.Error()+"\n" {
			t.Errorf("got %d %q, want %d %v", w.Code, w.Body, code, err)
		}
	}
	if Refuse(400, nil) != nil {
		t.Error("no error was refused")
	}
}

// Whoever reaches the TCP address can change nothing.
func TestChangesOnTheSocketOnly(t *testing.T) {
	var a asked
	path := socketIn(t)
	s, err := Listen(Config{HTTP: netip.MustParseAddrPort("127.0.0.1:0"), Socket: path}, handler(status.Node{}), a.handler(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, p := range []string{HandoverPath, ReloadPath, BackendsPath, DrillPath} {
		for _, method := range []string{"POST", "PUT", "GET"} {
			req, err := http.NewRequest(method, "http://"+s.doors[0].Addr().String()+p, strings.NewReader(`{"vip": "v"}`))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %s", method, p, resp.Status)
			}
		}
	}
	if len(a.calls) > 0 {
		t.Errorf("HTTP changed something: %v", a.calls)
	}
	if done, err := AskHandover(t.Context(), path, "v", "m2"); err != nil || done != (Handover{"v", "m1", "m2", 8, 12}) {
		t.Errorf("%+v, %v", done, err)
	}
	order := BackendOrder{Backend: "m1", Listener: "l", Action: "weight", Weight: new(7), Who: "w", Why: "y", Force: true}
	if done, err := AskBackend(t.Context(), path, order); err != nil || done.Backend != "m1" || done.Order != "drained" || a.calls[len(a.calls)-1] != "weight m1 l w y true 7" {
		t.Errorf("%+v, %v, %q", done, err, a.calls)
	}
	drills := Drills(path)
	if err := errors.Join(drills.Able(t.Context(), "m2", fault.Cut), drills.Inflict(t.Context(), "m2", fault.Cut, time.Second), drills.Handover(t.Context(), "v", "m2")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"able cut m2 0s", "inflict cut m2 1s", "handover v to m2"}, a.calls[len(a.calls)-3:]); diff != "" {
		t.Error(diff)
	}
	if n, err := drills.Status(t.Context()); err != nil || n.Name != "m1" {
		t.Errorf("%+v, %v", n, err)
	}
	done, err := AskReload(t.Context(), path, false)
	if diff := cmp.Diff([]string{"log.level: info -> debug"}, done.Changes); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// What kshalb says is told as it is; what is wrong with a file can be told apart.
func TestRefusals(t *testing.T) {
	older := http.NewServeMux()
	for name, test := range map[string]struct {
		h    http.Handler
		want string
		bad  bool
	}{
		"a refusal":        {(&asked{err: Refuse(409, errors.New("m2 holds it"))}).handler(), "m2 holds it", false},
		"a bad file":       {(&asked{err: Refuse(422, errors.New("f:1: a\nf:2: b"))}).handler(), "f:1: a\nf:2: b", true},
		"an older kshalb":  {older, "ask PATH: got 404 Not Found: is it an older kshalb?", false},
		"an error of ours": {(&asked{err: errors.New("no idea")}).handler(), "no idea", false},
	} {
		t.Run(name, func(t *testing.T) {
			path := socketIn(t)
			stop := serve(t, Config{Socket: path}, test.h)
			for _, err := range []error{
				func() error { _, err := AskReload(t.Context(), path, false); return err }(),
				func() error { _, err := AskHandover(t.Context(), path, "v", ""); return err }(),
				Drills(path).Able(t.Context(), "m1", fault.Kill),
				func() error {
					_, err := AskBackend(t.Context(), path, BackendOrder{Backend: "b", Action: "drain"})
					return err
				}(),
			} {
				if err == nil || err.Error() != strings.ReplaceAll(test.want, "PATH", path) {
					t.Errorf("got %v, want %s", err, test.want)
				}
				if _, bad := errors.AsType[*BadConfig](err); bad != test.bad {
					t.Errorf("a bad file: %t, want %t", bad, test.bad)
				}
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAskNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, err := AskReload(t.Context(), path, false); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "ask "+path+": ") {
		t.Error(err)
	}
	stale(t, path)
	if _, err := AskHandover(t.Context(), path, "v", ""); err == nil || !strings.Contains(err.Error(), "(is kshalb running, and are you root?)") {
		t.Error(err)
	}
}
