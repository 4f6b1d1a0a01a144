package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// newFiles makes a tmpfs that is mounted nowhere. Every process of this user
// reaches it by the path in /proc for as long as the file is open in this one,
// and its content is gone with it (fsmount(2), Linux 5.2).
func newFiles() (*os.File, string, error) {
	fail := func(err error) (*os.File, string, error) {
		return nil, "", fmt.Errorf("make a private tmpfs: %w", err)
	}
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = unix.Close(fs) }()
	if err := unix.FsconfigSetString(fs, "mode", "0700"); err != nil {
		return fail(err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return fail(err)
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return fail(err)
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), mnt)
	return os.NewFile(uintptr(mnt), path), path, nil
}
