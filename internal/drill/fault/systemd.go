package fault

import (
	"context"
	"os"
	"strconv"

	"github.com/godbus/dbus/v5"
)

// systemdSocket is where systemd itself listens, for root; no bus has to run.
const systemdSocket = "/run/systemd/private"

const (
	systemdName = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
)

// askSystemd asks what the unit of a process is (org.freedesktop.systemd1(5)).
func askSystemd(ctx context.Context, socket string, pid int) (s service, err error) {
	conn, err := dbus.Dial("unix:path="+socket, dbus.WithContext(ctx))
	if err != nil {
		return s, err
	}
	defer func() { _ = conn.Close() }() // all is read
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return s, err
	}
	var path dbus.ObjectPath
	err = conn.Object(systemdName, managerPath).CallWithContext(ctx, systemdName+".Manager.GetUnitByPID", 0, uint32(pid)).Store(&path)
	if err != nil {
		return s, err
	}
	var main uint32
	for _, p := range []struct {
		kind, name string
		to         any
	}{{"Unit", "Id", &s.unit}, {"Service", "MainPID", &main}, {"Service", "Restart", &s.restart}} {
		var v dbus.Variant
		err := conn.Object(systemdName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, systemdName+"."+p.kind, p.name).Store(&v)
		if err != nil {
			return s, err // a scope has no MainPID
		}
		if err := v.Store(p.to); err != nil {
			return s, err
		}
	}
	s.main = int(main)
	return s, nil
}
