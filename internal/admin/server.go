package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Server serves on a TCP address and on a unix socket, or on one of them.
type Server struct {
	log   *slog.Logger
	doors []door
}

// door is one place where a [Server] listens, and what it serves there.
type door struct {
	net.Listener
	handler http.Handler
}

// Config says where a [Server] listens.
type Config struct {
	HTTP   netip.AddrPort // the zero value is nowhere
	Socket string         // path; "" is nowhere
}

// Bounds for clients that are slow or send a lot.
const (
	readTimeout    = 5 * time.Second
	writeTimeout   = 30 * time.Second
	maxHeaderBytes = 16 << 10
	stopTimeout    = time.Second
)

// Listen opens the addresses of cfg: for everybody who reaches the TCP one, and
// for whom the file system lets open the socket. A socket file that a killed
// predecessor left is replaced; one that somebody serves, or a file of another
// kind, is an error.
func Listen(cfg Config, everybody, socket http.Handler, log *slog.Logger) (*Server, error) {
	s := &Server{log: log}
	if cfg.HTTP.IsValid() {
		l, err := net.Listen("tcp", cfg.HTTP.String())
		if err != nil {
			return nil, fmt.Errorf("open the admin address %s: %w (admin.http sets another)", cfg.HTTP, cause(err))
		}
		s.doors = append(s.doors, door{l, everybody})
	}
	if cfg.Socket != "" {
		l, err := listenSocket(cfg.Socket)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the admin socket %s: %w (admin.socket sets another)", cfg.Socket, cause(err)), s.close())
		}
		s.doors = append(s.doors, door{l, socket})
	}
	return s, nil
}

func listenSocket(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The file is born with mode 0600: nobody else can open it in between.
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

// removeStale removes the socket of a predecessor that is no longer there.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("the path exists and is not a socket")
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		conn.Close()
		return errors.New("another kshalb serves it")
	case errors.Is(err, syscall.ECONNREFUSED): // nobody listens
		return os.Remove(path)
	}
	return err // EAGAIN, say: somebody listens and is frozen
}

// cause is the innermost error: those of package net around it repeat the
// address.
func cause(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return err
}

// Run serves until ctx ends, and closes what Listen opened.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, len(s.doors))
	var servers []*http.Server
	for _, d := range s.doors {
		srv := s.server(ctx, d.handler)
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(d.Listener) }()
	}
	var err error
	running := len(servers)
	select {
	case err = <-failed:
		running--
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, srv := range servers {
		if srv.Shutdown(stop) != nil {
			err = errors.Join(err, srv.Close()) // a client was too slow
		}
	}
	for range running {
		err = errors.Join(err, ended(<-failed))
	}
	if err != nil {
		return fmt.Errorf("serve the admin API: %w", err)
	}
	return nil
}

// server serves requests whose contexts end with ctx, so that streams end, too.
func (s *Server) server(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler:           h,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// ended is what an orderly end of Serve leaves of its error.
func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Server) close() error {
	var errs []error
	for _, d := range s.doors {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
