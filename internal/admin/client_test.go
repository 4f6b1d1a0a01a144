package admin

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

// fails asks, and expects an error within about a second.
func fails(t *testing.T, path, want string) error {
	t.Helper()
	begin := time.Now()
	_, err := FetchStatus(t.Context(), path)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "ask "+path+": ") {
		t.Errorf("got %v, want %q", err, want)
	}
	return err
}

func TestFetchNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := fails(t, path, "no such file or directory (is kshalb running, and are you root?)"); !errors.Is(err, syscall.ENOENT) {
		t.Error("the system's error is lost")
	}
	stale(t, path)
	fails(t, path, "connection refused (is kshalb running, and are you root?)")
}

func TestFetchFromOneThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path) // the kernel connects, nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fails(t, path, "no answer within 1s")
}

func TestFetchBadAnswers(t *testing.T) {
	for want, h := range map[string]http.HandlerFunc{
		"got 404 Not Found: is it an older kshalb?": http.NotFound,
		"read the answer":     func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) },
		"no answer within 1s": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() },
	} {
		t.Run(want, func(t *testing.T) {
			path := socketIn(t)
			stop := serve(t, Config{Socket: path}, h)
			fails(t, path, want)
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFetchStatus(t *testing.T) {
	path := socketIn(t)
	stop := serve(t, Config{Socket: path}, handler(status.Node{Name: "m1", Ready: true}))
	if n, err := FetchCluster(t.Context(), path); n.Name != "m1" || len(n.Answers) != 1 || n.Answers[0].From != "m9" || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	n, err := FetchStatus(t.Context(), path)
	if n.Name != "m1" || !n.Ready || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
