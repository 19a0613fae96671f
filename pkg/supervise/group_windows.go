package supervise

import (
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// NewGroup prepares cmd, not yet started, to be put into a job object.
func NewGroup(cmd *exec.Cmd, mark string) *Group {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	return &Group{
		cmd: cmd, mark: mark, began: time.Now(),
		signal: func() { cmd.Process.Kill() }, // until there is a job object
		free:   func() {},
	}
}

// Started puts the command, which runs, into a job object, which no process
// leaves.
func (g *Group) Started() error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		windows.CloseHandle(job)
		return err
	}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(g.cmd.Process.Pid))
	if err != nil {
		windows.CloseHandle(job)
		return err
	}
	defer windows.CloseHandle(process)
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		windows.CloseHandle(job)
		return err
	}
	g.signal = func() { windows.TerminateJobObject(job, 1) }
	g.free = func() { windows.CloseHandle(job) }
	return nil
}

// Wait waits for the command's end and kills what is left of its job.
func (g *Group) Wait() error {
	err := g.cmd.Wait()
	return g.reap(func() error { return err })
}

// Sweep returns the processes that live on: none leaves a job object.
func (g *Group) Sweep() (left []int) { return nil }

// ownSession does nothing: there are no such terminals.
func ownSession(*exec.Cmd) {}
