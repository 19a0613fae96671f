package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows/svc"

	"gobuild/pkg/supervise/unit"
)

// maxServiceLog is how long the log of a service may be when it starts, in
// bytes; a longer one is set aside.
const maxServiceLog = 10 << 20

// runAsService runs the program as a service if the service manager has
// started it, and tells that it is one.
func runAsService(args []string) (code int, ok bool) {
	service, err := svc.IsWindowsService()
	if err != nil || !service {
		return 0, false
	}
	s := &winService{args: args, log: io.Discard}
	// A service has no output: the handles lead nowhere.
	if name := os.Getenv(unit.LogVariable); name != "" {
		if info, err := os.Stat(name); err == nil && info.Size() > maxServiceLog {
			os.Rename(name, name+".old")
		}
		if f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			defer f.Close()
			s.log = f
		}
	}
	if err := svc.Run("", s); err != nil { // the name matters only if several share a process
		return exitFailed, true
	}
	return s.code, true
}

// winService is the program as the service manager sees it.
type winService struct {
	args []string
	log  io.Writer
	code int
}

// Execute runs the program until it ends or the service manager wants it to.
func (s *winService) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (ownCode bool, code uint32) {
	const accepts = svc.AcceptStop | svc.AcceptShutdown
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan int, 1)
	go func() { ended <- runContext(ctx, s.args, strings.NewReader(""), s.log, s.log, os.LookupEnv) }()
	status <- svc.Status{State: svc.Running, Accepts: accepts}
	stopping := svc.Status{State: svc.StopPending, WaitHint: 30_000}
	// Without news the service manager takes a service that ends for hung.
	alive := time.NewTicker(10 * time.Second)
	defer alive.Stop()
	stopped := false
	for {
		select {
		case s.code = <-ended:
			status <- svc.Status{State: svc.StopPending}
			// A code of its own makes the service manager start it again.
			return true, uint32(s.code)
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				status <- request.CurrentStatus
			case svc.Stop, svc.Shutdown:
				stopped = true
				status <- stopping
				cancel()
			}
		case <-alive.C:
			if stopped {
				stopping.CheckPoint++
				status <- stopping
			}
		}
	}
}
