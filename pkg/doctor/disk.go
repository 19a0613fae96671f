package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Free space of a machine that builds, in bytes.
const (
	diskIdeal = 20e9 // "20GB disk space is ideal", says the wiki page
	diskLeast = 1e9  // for a tree of Go, its build cache and a test at a time
)

// quarantineFree returns how many free bytes the Swarming bot wants on a file
// system of this size before it quarantines itself (LUCI protocol, section
// 9.9): on the one that it works on, and more or less on the root's.
func quarantineFree(total uint64, root bool) float64 {
	required := func(fixed, most, least float64) float64 {
		return max(float64(total)*least, min(fixed, float64(total)*most))
	}
	free := required(4*gib, 0.15, 0.07)
	if root {
		free = max(free, required(1*gib, 0.10, 0.06))
	}
	return free
}

// disk looks at the file system of the work directory: space, kind, whether it
// can be written to and executed from.
func (e *exam) disk(ctx context.Context) []Finding {
	dir, err := filepath.Abs(e.workDir())
	if err != nil {
		return one(unknown("%v", err))
	}
	there := existing(dir)
	found := []Finding{e.space(dir, there)}
	if f := usable(ctx, there); f.State != OK {
		f.Title = "work directory"
		if there != dir {
			f.Found = fmt.Sprintf("%s cannot be made: %s", dir, f.Found)
		}
		f.Wanted = "can be written to and executed from"
		found = append(found, f)
	}
	return found
}

// space looks at the file system of there, where dir is to be.
func (e *exam) space(dir, there string) Finding {
	v, err := e.volume(there)
	switch {
	case errors.Is(err, errNoVolume):
		return unknown("%v", err)
	case err != nil:
		return fail("look at why the file system does not answer", "%s: %v", there, err)
	}
	return e.judgeSpace(v, dir, sameVolume(there, string(filepath.Separator)))
}

// littleSpace is what to know of a disk with just enough space.
const littleSpace = "it works until caches fill it; give the worker a larger disk with --workdir"

// judgeSpace judges the file system of dir, which may be the root's.
func (e *exam) judgeSpace(v volume, dir string, root bool) Finding {
	ideal, least, why := diskIdeal, float64(diskLeast), "a build needs that much"
	if e.luci != no {
		if bot := quarantineFree(v.total, root); bot > least {
			least, why = bot, "with less the Swarming bot quarantines itself"
		}
	}
	ideal = max(ideal, least)
	free := float64(v.free)
	found := fmt.Sprintf("%s free of %s", decimal(free), decimal(float64(v.total)))
	if v.kind != "" {
		found += ", " + v.kind
	}
	found += ", for " + dir
	var f Finding
	switch {
	case free < least:
		f = fail(fmt.Sprintf("free %s more: %s", decimal(least-free), why), "%s", found)
	case v.inMemory():
		f = warn("it takes its space from the memory; give the worker a directory on a disk with --workdir", "%s", found)
	case v.remote():
		f = warn("builds on a network file system are slow, and locks and times there differ; give the worker a local directory with --workdir", "%s", found)
	case v.inodes > 0 && v.inodesFree < 200_000:
		remedy := "a tree of Go with its build cache has more than 100000 files; make a file system with more inodes"
		if free < ideal {
			remedy += ", and with more space: " + littleSpace
		}
		f = warn(remedy, "%s; %d inodes free", found, v.inodesFree)
	case free < ideal:
		f = warn(littleSpace, "%s", found)
	default:
		f = ok("%s", found)
	}
	f.Wanted = decimal(ideal) + " free"
	if least < ideal {
		f.Wanted += ", at least " + decimal(least)
	}
	return f
}

// decimal writes a number of bytes for people, in the units of disks.
func decimal(bytes float64) string {
	switch {
	case bytes >= 10e9:
		return fmt.Sprintf("%.0f GB", bytes/1e9)
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", bytes/1e9)
	case bytes >= 10e6:
		return fmt.Sprintf("%.0f MB", bytes/1e6)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", bytes/1e6)
	}
	return fmt.Sprintf("%.0f kB", bytes/1e3)
}

// tempMost is how many entries the Swarming bot bears in the directory of
// temporary files (LUCI protocol, section 9.9).
const tempMost = 1024

// temp looks at the directory of temporary files.
func (e *exam) temp(ctx context.Context) []Finding {
	dir := os.TempDir()
	list, err := os.Open(dir)
	if err != nil {
		return one(fail("make the directory, or point TMPDIR at one that is there", "%v", err))
	}
	names, err := list.Readdirnames(-1)
	list.Close()
	if err != nil {
		return one(fail("let the worker's user list it", "%v", err))
	}
	f := usable(ctx, dir)
	found := fmt.Sprintf("%d entries in %s", len(names), dir)
	switch {
	case f.State != OK:
		f.Found += "; " + found
		return one(f)
	case len(names) > tempMost && e.luci != no:
		return one(fail("remove old files there: with more than 1024 the Swarming bot quarantines itself", "%s", found))
	case len(names) > tempMost*3/4:
		return one(warn("remove old files there: with more than 1024 the Swarming bot quarantines itself", "%s", found))
	}
	return one(ok("%s", found))
}

// usable tries whether files can be made in dir and programs be run there.
func usable(ctx context.Context, dir string) Finding {
	probe, err := os.MkdirTemp(dir, ".gobuild-doctor-")
	if err != nil {
		return unwritable(dir, err)
	}
	defer os.RemoveAll(probe)
	program, err := writeProgram(probe)
	if err != nil {
		return unwritable(dir, err)
	}
	if err := canExecute(ctx, program); err != nil {
		return fail("mount it without noexec, or give another directory: a build runs the programs that it makes", "programs cannot be executed in %s: %v", dir, err)
	}
	return ok("")
}

// unwritable is the finding for a directory in which no file can be made.
func unwritable(dir string, err error) Finding {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	remedy := "give another directory, in which the worker's user can make files"
	text := err.Error()
	switch {
	case errors.Is(err, fs.ErrPermission):
		remedy = "let the worker's user write there (chown), or give another directory"
	case strings.Contains(text, "read-only"):
		remedy = "mount it for writing, or give another directory"
	case strings.Contains(text, "no space"), strings.Contains(text, "not enough space"), strings.Contains(text, "quota"):
		remedy = "remove files there, or raise the quota; a file system without free inodes (df -i) is full as well"
	case strings.Contains(text, "too many open files"):
		remedy = "raise the limit of open files (ulimit -n)"
	}
	return fail(remedy, "%s cannot be written to: %v", dir, err)
}
