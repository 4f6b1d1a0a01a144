package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kshalb/kshalb/internal/importer"
)

// ask asks a person for the least that a configuration needs.
func ask(ctx context.Context, in *bufio.Reader, out io.Writer, h *importer.Hand) error {
	vip, err := question(ctx, in, out, "Floating address, a free one of the masters' network (such as 192.168.0.10)", "")
	if err != nil {
		return err
	}
	masters, err := question(ctx, in, out, "Masters, as NAME=ADDRESS,... (such as master1=192.168.0.1,master2=192.168.0.2,master3=192.168.0.3)", "")
	if err != nil {
		return err
	}
	port, err := question(ctx, in, out, "Port that clients connect to", "6443")
	if err != nil {
		return err
	}
	h.VIPs, h.Masters = []string{vip}, strings.Split(masters, ",")
	if _, err := fmt.Sscan(port, &h.Port); err != nil {
		return usageError{fmt.Errorf("port %q is no number", port)}
	}
	return nil
}

// question asks until there is an answer; an empty one is usual.
func question(ctx context.Context, in *bufio.Reader, out io.Writer, text, usual string) (string, error) {
	for {
		fmt.Fprint(out, text)
		if usual != "" {
			fmt.Fprintf(out, " [%s]", usual)
		}
		fmt.Fprint(out, ": ")
		answer := make(chan string, 1) // without a line it is closed
		go func() {
			defer close(answer)
			if line, err := in.ReadString('\n'); err == nil {
				answer <- strings.TrimSpace(line)
			}
		}()
		select {
		case <-ctx.Done():
			return "", errors.New("stopped; nothing was done")
		case line, ok := <-answer:
			if !ok {
				return "", errors.New("no answer; nothing was done (flags tell the same, see --help)")
			}
			if line == "" {
				line = usual
			}
			if line != "" {
				return line, nil
			}
		}
	}
}
