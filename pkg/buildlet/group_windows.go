package buildlet

import (
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// groupHandle is a job object: processes cannot leave it.
type groupHandle struct{ job windows.Handle }

// newGroup prepares cmd, not yet started, to be put into a job object.
func newGroup(cmd *exec.Cmd, cookie string) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	return &group{cmd: cmd, cookie: cookie, began: time.Now()}
}

// started puts the command, which runs, into its job object.
func (g *group) started() error {
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
	g.sys.job = job
	return nil
}

// signal kills all that is in the job object.
func (g *group) signal() { windows.TerminateJobObject(g.sys.job, 1) }

// wait waits for the command's end and kills what is left of its job.
func (g *group) wait() error {
	err := g.cmd.Wait()
	return g.reap(func() error { return err })
}

// sweep returns the processes that live on: none leaves a job object.
func (g *group) sweep() (left []int) { return nil }

// close frees the job object.
func (g *group) close() { windows.CloseHandle(g.sys.job) }
