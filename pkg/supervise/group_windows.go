package supervise

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// NewGroup prepares cmd, not yet started, to be put into a job object. It does
// nothing until it is in there: what it starts before would not be.
func NewGroup(cmd *exec.Cmd, mark string) *Group {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_SUSPENDED}
	return &Group{
		cmd: cmd, mark: mark, began: time.Now(),
		signal: func() { cmd.Process.Kill() }, // until there is a job object
		free:   func() {},
	}
}

// Started puts the command into a job object, which no process leaves, and
// lets it run.
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
	if err := resume(uint32(g.cmd.Process.Pid)); err != nil {
		windows.CloseHandle(job)
		return err
	}
	g.signal = func() { windows.TerminateJobObject(job, 1) }
	g.free = func() { windows.CloseHandle(job) }
	return nil
}

// resume lets the threads of a process run that was made suspended. Package
// os/exec does not keep the handle of its only one.
func resume(pid uint32) error {
	all, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(all)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	found := false
	for err = windows.Thread32First(all, &entry); err == nil; err = windows.Thread32Next(all, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return err
		}
		_, err = windows.ResumeThread(thread)
		windows.CloseHandle(thread)
		if err != nil {
			return err
		}
		found = true
	}
	if !found {
		return fmt.Errorf("process %d has no thread to run: %w", pid, err)
	}
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
