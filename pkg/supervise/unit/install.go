package unit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
)

// Installer carries plans out on this machine.
type Installer struct {
	// Dest is a directory that takes the place of /, for packagers: only files
	// are written, and no command is run. Empty means this machine.
	Dest string
	// DryRun says what would be done, and does nothing.
	DryRun bool
	// Force replaces files that differ.
	Force bool
	// NoStart leaves the service as it is until the next boot, or until a
	// person starts it.
	NoStart bool
	// Say is told each thing that is done.
	Say func(what string)
}

// Install writes the files of a plan, makes its user and directories, and has
// the init system start the service. Nothing is changed if a file is there and
// differs, unless Force is set.
func (in *Installer) Install(ctx context.Context, p Plan) error {
	if err := in.allowed(p); err != nil {
		return err
	}
	changed, err := in.compare(p)
	if err != nil {
		return err
	}
	if in.Dest == "" {
		if err := in.user(ctx, p); err != nil {
			return err
		}
		if err := in.dirs(ctx, p); err != nil {
			return err
		}
	}
	for _, file := range changed {
		if err := in.write(ctx, file); err != nil {
			return err
		}
	}
	if in.Dest != "" {
		return nil
	}
	if err := in.steps(ctx, p, p.Enable); err != nil {
		return err
	}
	if in.NoStart {
		return nil
	}
	for _, link := range p.Links {
		if err := in.link(link); err != nil {
			return err
		}
	}
	return in.steps(ctx, p, p.Start)
}

// allowed says why a plan cannot be carried out here.
func (in *Installer) allowed(p Plan) error {
	if in.Dest == "" && Foreign(p.Init) {
		return hint.With(fmt.Errorf("%s does not run on %s", p.Init, runtime.GOOS), "give --dest DIR to write the files below a directory, or use gobuild service print")
	}
	return nil
}

// place returns where a path of a plan is on this machine.
func (in *Installer) place(path string) string {
	if in.Dest == "" {
		return path
	}
	if len(path) > 2 && path[1] == ':' { // C:\...
		path = strings.ReplaceAll(path[2:], `\`, "/")
	}
	return filepath.Join(in.Dest, filepath.FromSlash(path))
}

// compare returns the files that are not there as they should be. What is
// there and is another is an error that shows how it would change.
func (in *Installer) compare(p Plan) (changed []File, err error) {
	var differ []string
	var shown bytes.Buffer
	for _, file := range p.Files {
		path := in.place(file.Path)
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			changed = append(changed, file)
			continue
		case err != nil:
			return nil, err
		case string(old) == file.Text:
			if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != file.Mode {
				changed = append(changed, file)
			}
			continue
		}
		changed = append(changed, file)
		differ = append(differ, path)
		shown.Write(diff.Diff(path, old, path+" (new)", []byte(file.Text)))
	}
	for _, link := range p.Links {
		if target, err := os.Readlink(link.Path); in.Dest == "" && err == nil && target != link.Target {
			differ = append(differ, link.Path)
			fmt.Fprintf(&shown, "%s leads to %s, not to %s\n", link.Path, target, link.Target)
		}
	}
	if len(differ) > 0 && !in.Force {
		return nil, hint.With(fmt.Errorf("%s: there already, and not the same:\n%s", strings.Join(differ, ", "), strings.TrimSuffix(shown.String(), "\n")),
			"look at the difference; --force replaces what is there")
	}
	return changed, nil
}

// write puts a file into its place, once its checker has nothing against it.
func (in *Installer) write(ctx context.Context, file File) error {
	path := in.place(file.Path)
	in.say("write %s, mode %04o", path, file.Mode)
	if in.DryRun {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return asRoot(err)
	}
	if err := checkFile(ctx, file); err != nil {
		return err
	}
	return asRoot(atomicfile.Replace(path, []byte(file.Text), file.Mode))
}

// checkFile has a tool look at a file before anything reads it: a mistake in
// a file for sudo would lock everybody out.
func checkFile(ctx context.Context, file File) error {
	if len(file.Check) == 0 || !found(file.Check[0]) {
		return nil
	}
	dir, err := os.MkdirTemp("", "gobuild-service-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	temp := filepath.Join(dir, "check")
	if err := os.WriteFile(temp, []byte(file.Text), file.Mode); err != nil {
		return err
	}
	if _, err := run(ctx, append(slices.Clone(file.Check), temp)); err != nil {
		return fmt.Errorf("%s was not written: %w", file.Path, err)
	}
	return nil
}

// dirs makes the directories that are missing, and gives them to their owners.
func (in *Installer) dirs(ctx context.Context, p Plan) error {
	for _, dir := range p.Dirs {
		if info, err := os.Stat(dir.Path); err == nil {
			if !info.IsDir() {
				return fmt.Errorf("%s is no directory", dir.Path)
			}
			if owner := ownedByOther(ctx, info, dir.Owner); owner != "" {
				in.say("leave %s, which belongs to %s; if it is meant to be the service's: chown -R %s %s", dir.Path, owner, dir.Owner, dir.Path)
			}
			continue
		}
		in.say("make directory %s", dir.Path)
		if in.DryRun {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(dir.Path), 0o755); err != nil {
			return asRoot(err)
		}
		if err := os.Mkdir(dir.Path, dir.Mode); err != nil {
			return asRoot(err)
		}
		if err := os.Chmod(dir.Path, dir.Mode); err != nil { // whatever the umask is
			return asRoot(err)
		}
		if dir.Owner == "" || runtime.GOOS == "windows" { // there the script does it
			continue
		}
		uid, gid, err := ids(ctx, dir.Owner)
		if err != nil {
			return err
		}
		// Lchown: its parent may be the service's by now, which could put a
		// link here.
		if err := os.Lchown(dir.Path, uid, gid); err != nil {
			return asRoot(err)
		}
	}
	return nil
}

// link makes a symbolic link, in place of an older one.
func (in *Installer) link(link Link) error {
	if target, err := os.Readlink(link.Path); err == nil && target == link.Target {
		return nil
	}
	in.say("link %s to %s", link.Path, link.Target)
	if in.DryRun {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link.Path), 0o755); err != nil {
		return asRoot(err)
	}
	if info, err := os.Lstat(link.Path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(link.Path); err != nil {
			return asRoot(err)
		}
	}
	return asRoot(os.Symlink(link.Target, link.Path))
}

// Uninstall stops the service and removes what Install has made of it, and
// returns what stays, one sentence each.
func (in *Installer) Uninstall(ctx context.Context, p Plan) (stays []string, err error) {
	if err := in.allowed(p); err != nil {
		return nil, err
	}
	var there []File
	for _, file := range p.Files {
		path := in.place(file.Path)
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, asRoot(err)
		case string(old) == file.Text, bytes.Contains(old, []byte(Mark)), in.Force:
			there = append(there, file)
		default:
			stays = append(stays, path+", which gobuild service has not made; --force removes it")
		}
	}
	if len(there) == 0 {
		if len(stays) > 0 {
			return nil, hint.With(fmt.Errorf("%s is not gobuild's: it was not made by gobuild service install", in.place(p.Files[0].Path)), "--force removes it all the same")
		}
		return nil, hint.With(fmt.Errorf("%s is not installed for %s: %s is not there", p.Service.Name, p.Init, in.place(p.Files[0].Path)), "--name and --init say which service is meant")
	}
	if in.Dest == "" {
		for _, link := range p.Links {
			if target, err := os.Readlink(link.Path); err != nil || target != link.Target {
				continue
			}
			if err := in.remove(link.Path); err != nil {
				return nil, err
			}
		}
		for _, steps := range [][]Step{p.Stop, p.Disable} {
			if err := in.steps(ctx, p, steps); err != nil {
				return nil, err
			}
		}
	}
	for _, file := range there {
		if err := in.remove(in.place(file.Path)); err != nil {
			return nil, err
		}
	}
	for _, path := range p.Leftovers {
		in.tidy(in.place(path))
	}
	if in.Dest != "" {
		return stays, nil
	}
	if err := in.steps(ctx, p, p.Clean); err != nil {
		return nil, err
	}
	if name := p.Service.account(); name != "" {
		if _, _, err := ids(ctx, name); err == nil {
			stays = append(stays, "the user "+name)
		}
	}
	for _, dir := range p.Dirs {
		if _, err := os.Stat(dir.Path); err == nil {
			stays = append(stays, dir.Path)
		}
	}
	return stays, nil
}

func (in *Installer) remove(path string) error {
	in.say("remove %s", path)
	if in.DryRun {
		return nil
	}
	return asRoot(os.Remove(path))
}

// tidy removes what a supervisor has left: its own directories whole, others
// if they are empty.
func (in *Installer) tidy(path string) {
	if in.DryRun {
		return
	}
	switch filepath.Base(path) {
	case "supervise", "event":
		os.RemoveAll(path)
	default:
		os.Remove(path) // fails if something of the owner's is in it
	}
}

func (in *Installer) say(format string, args ...any) {
	if in.Say != nil {
		in.Say(fmt.Sprintf(format, args...))
	}
}

// asRoot says what to do about an error for want of rights.
func asRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hint.With(err, "run this as root (on Windows, as an administrator), or look with --dry-run what it would do")
	}
	return err
}
