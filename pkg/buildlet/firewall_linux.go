package buildlet

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// startJob starts cmd; with firewall in a network of its own, in which there
// is nothing but loopback. Upstream's buildlet changes the machine's packet
// filter instead, for all processes and for good. Where this user may not do
// that, the command's output says so.
func startJob(cmd *exec.Cmd, firewall bool, out io.Writer) error {
	if !firewall {
		return cmd.Start()
	}
	result := make(chan error)
	go func() {
		// The thread is spoilt for others: it is not unlocked, and so ends
		// with the goroutine.
		runtime.LockOSThread()
		if err := isolate(); err != nil {
			fmt.Fprintf(out, ":: the network could not be cut off: %v\n", err)
		}
		result <- cmd.Start()
	}()
	return <-result
}

// isolate moves this thread into a network of its own and turns on loopback.
func isolate() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("new network namespace: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifreq, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifreq.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq); err != nil {
		return fmt.Errorf("turn on loopback: %w", err)
	}
	return nil
}
