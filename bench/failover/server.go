package main

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// server says its host's name to whoever connects to the port of API servers.
// It is used by one goroutine.
type server struct {
	host *lab.Host

	ln    net.Listener // nil while it is stopped
	tasks sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // nil once it is stopped
}

func (s *server) start() error {
	ln, err := s.host.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	if err != nil {
		return err
	}
	s.ln, s.conns = ln, make(map[net.Conn]bool)
	s.tasks.Go(func() { s.accept(ln) })
	return nil
}

// stop closes the socket and all connections; it does nothing when it is stopped.
func (s *server) stop() {
	if s.ln == nil {
		return
	}
	_ = s.ln.Close()
	s.ln = nil
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.tasks.Wait()
}

func (s *server) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // closed
		}
		if !s.keep(c) {
			_ = c.Close()
			return
		}
		s.tasks.Go(func() { s.talk(c) })
	}
}

// keep remembers a connection, for stop.
func (s *server) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns != nil {
		s.conns[c] = true
	}
	return s.conns != nil
}

// talk leaves it to the other side to close, so that no port is kept waiting.
func (s *server) talk(c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		_ = c.Close()
	}()
	if c.SetDeadline(time.Now().Add(5*time.Second)) != nil {
		return
	}
	if _, err := c.Write([]byte(s.host.Name())); err == nil {
		_, _ = c.Read(make([]byte, 1)) // until the end, whatever it is
	}
}
