package fault

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// What /proc/self/mountinfo says in a pod and on a host.
const (
	podMounts = `607 530 0:51 / / ro,relatime master:217 - overlay overlay rw,lowerdir=/var/lib/containerd
622 607 8:1 /var/lib/kubelet/pods/5c1a0e5d-9c0b-4a37-8f0a-0c1f1c4b7a11/containers/kshalb/4a6f7c01 /dev/termination-log rw,relatime - ext4 /dev/sda1 rw
`
	// The name of a static pod's folder is a hash.
	staticMounts = `622 607 8:1 /data/kubelet/pods/9d2b6e2c4f0a8b7c6d5e4f3a2b1c0d9e/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw
`
	hostMounts = `22 27 0:21 / /proc rw,relatime - proc proc rw
31 27 8:1 /srv/pods/notes /mnt rw,relatime - ext4 /dev/sda1 rw
`
)

func TestSupervised(t *testing.T) {
	self := uint32(os.Getpid())
	for name, test := range map[string]struct {
		mounts  string
		systemd *systemd // nil: there is none
		err     string
	}{
		"pod":                       {podMounts, nil, ""},
		"static pod":                {staticMounts, nil, ""},
		"nobody":                    {hostMounts, nil, errAlone.Error()},
		"service":                   {hostMounts, &systemd{"kshalb.service", self, "always", ""}, ""},
		"service on failure":        {hostMounts, &systemd{"kshalb.service", self, "on-failure", ""}, ""},
		"service that stays down":   {hostMounts, &systemd{"run-r1.service", self, "no", ""}, "would not start run-r1.service again, which has Restart=no"},
		"service if it went well":   {hostMounts, &systemd{"kshalb.service", self, "on-success", ""}, "Restart=on-success"},
		"shell in another service":  {hostMounts, &systemd{"cron.service", self + 1, "always", ""}, errAlone.Error()},
		"session":                   {hostMounts, &systemd{"", 0, "", "no such interface"}, "no such interface"},
		"systemd that says nothing": {hostMounts, &systemd{"", 0, "", "hang up"}, errAlone.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mountinfo, socket := filepath.Join(dir, "mountinfo"), filepath.Join(dir, "private")
			must(t, os.WriteFile(mountinfo, []byte(test.mounts), 0o600))
			if test.systemd != nil {
				test.systemd.listen(t, socket)
			}
			err := supervised(mountinfo, socket)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

// TestKillAlone: where nobody is known to start it again, this process is not
// killed.
func TestKillAlone(t *testing.T) {
	err := New(Config{}).Inflict(context.Background(), Kill, 0)
	if mounts, _ := os.ReadFile("/proc/self/mountinfo"); inPod(string(mounts)) {
		t.Skip("this is a pod")
	}
	if !errors.Is(err, errAlone) || !strings.HasPrefix(err.Error(), "kill: ") {
		t.Error(err)
	}
}

// systemd answers as systemd does, about one unit.
type systemd struct {
	unit    string
	main    uint32
	restart string
	err     string // what it says of the service instead
}

func (s *systemd) listen(t *testing.T, socket string) {
	l, err := net.Listen("unix", socket)
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(conn)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
}

// serve speaks the D-Bus protocol, from its authentication on, until the client
// hangs up.
func (s *systemd) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for begun := false; !begun; {
		line, err := in.ReadString('\n')
		switch {
		case err != nil:
			return
		case strings.Contains(line, "AUTH EXTERNAL"):
			_, _ = conn.Write([]byte("OK 0123456789abcdef0123456789abcdef\r\n"))
		case strings.HasPrefix(line, "NEGOTIATE_UNIX_FD"):
			_, _ = conn.Write([]byte("AGREE_UNIX_FD\r\n"))
		case strings.HasPrefix(line, "BEGIN"):
			begun = true
		case strings.Contains(line, "AUTH"):
			_, _ = conn.Write([]byte("REJECTED EXTERNAL\r\n"))
		}
	}
	for {
		m, err := dbus.DecodeMessage(in)
		if err != nil || s.err == "hang up" {
			return
		}
		if err := s.reply(m).EncodeTo(conn, binary.LittleEndian); err != nil {
			return
		}
	}
}

func (s *systemd) reply(m *dbus.Message) *dbus.Message {
	r := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(m.Serial()),
	}}
	var answer any
	switch member := m.Headers[dbus.FieldMember].Value(); {
	case member == "GetUnitByPID" && m.Body[0] == uint32(os.Getpid()):
		answer = dbus.ObjectPath(managerPath + "/unit/it")
	case member != "Get" || m.Headers[dbus.FieldPath].Value() != dbus.ObjectPath(managerPath+"/unit/it"), s.err != "":
		r.Type = dbus.TypeError
		r.Headers[dbus.FieldErrorName] = dbus.MakeVariant("org.freedesktop.DBus.Error.Failed")
		answer = s.err
	case m.Body[1] == "Id":
		answer = dbus.MakeVariant(s.unit)
	case m.Body[1] == "MainPID":
		answer = dbus.MakeVariant(s.main)
	case m.Body[1] == "Restart":
		answer = dbus.MakeVariant(s.restart)
	}
	r.Body = []any{answer}
	r.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(answer))
	return r
}
