package stage0

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"gobuild/pkg/hint"
	"gobuild/pkg/release"
)

// files are the program, the one before it, and what is known of them.
type files struct {
	file   string
	log    *slog.Logger
	state  State
	digest string // of the program in place; empty if there is none
}

func (s *files) name(suffix string) string { return s.file + suffix }

func (f *Fetcher) log() *slog.Logger {
	if f.Log != nil {
		return f.Log
	}
	return slog.Default()
}

// look reads what is there and changes nothing.
func (f *Fetcher) look() (*files, error) {
	s := &files{file: f.File, log: f.log()}
	var err error
	if s.state, err = f.readState(); err != nil {
		return nil, err
	}
	s.digest, err = digestOf(f.File)
	return s, err
}

// open reads what is there, and ends what a power cut or a kill has left half
// done. It is to be called under the lock.
func (f *Fetcher) open() (*files, error) {
	s, err := f.look()
	if err != nil {
		return nil, err
	}
	s.tidy()
	if s.digest == "" {
		// Windows and Plan 9 cannot replace a program in one step.
		if previous, err := digestOf(s.name(".previous")); err != nil || previous == "" {
			return s, err
		}
		s.log.Warn("the program was gone; the previous one takes its place", "file", s.file)
		if err := keepAs(s.name(".previous"), s.file); err != nil {
			return nil, err
		}
		if s.digest, err = digestOf(s.file); err != nil {
			return nil, err
		}
	}
	return s, s.settle()
}

// tidy removes what an earlier process had no time to: programs that ran when
// they were replaced, on Windows, and halves of files.
func (s *files) tidy() {
	dir, base := filepath.Split(s.file)
	for _, prefix := range []string{
		globQuote(s.file) + ".old-*", globQuote(s.file) + ".previous.old-*", globQuote(s.file) + ".new", globQuote(s.file) + ".previous.new",
		globQuote(dir) + "." + globQuote(base) + ".json.tmp-*",
	} {
		leftovers, _ := filepath.Glob(prefix)
		for _, name := range leftovers {
			os.Remove(name)
		}
	}
}

// settle makes the state agree with the files.
func (s *files) settle() error {
	next := s.state.Next
	switch {
	case next != nil && next.Digest == s.digest:
		s.log.Info("a change of programs that was broken off is complete", "digest", s.digest)
		previous, err := digestOf(s.name(".previous"))
		if err != nil {
			return err
		}
		if previous == s.state.Current.Digest {
			s.state.Previous = s.state.Current
		}
		s.state.Current, s.state.Next = *next, nil
	case next != nil:
		s.state.Next = nil
	case s.digest == s.state.Current.Digest:
	case s.digest == s.state.Previous.Digest:
		s.state.Current, s.state.Previous = s.state.Previous, Program{}
	default:
		if s.state.Current.Digest != "" {
			s.log.Warn("the program is not the one that was put in place; it was changed by hand or damaged", "file", s.file, "digest", s.digest)
		}
		return nil // not intact; the next one that comes replaces it
	}
	if why, bad := s.state.bad(s.digest); bad {
		if err := s.restore(); err == nil || !errors.Is(err, ErrNoPrevious) {
			s.log.Warn("a roll-back that was broken off is complete", "why", why)
			return err
		}
	}
	return nil
}

// intact reports whether the program in place is the one that the state
// describes.
func (s *files) intact() bool { return s.digest != "" && s.digest == s.state.Current.Digest }

// install puts the checked program in File.part in place.
func (s *files) install(next Program) error {
	s.state.Next, s.state.Partial = &next, nil
	if err := s.save(); err != nil {
		return err
	}
	old := s.state.Current
	if !s.intact() {
		old = Program{Digest: s.digest}
	}
	previous, err := digestOf(s.name(".previous"))
	if err != nil {
		return err
	}
	// One that has not proved good takes the place of none that may have.
	_, bad := s.state.bad(old.Digest)
	if keep := s.digest != "" && !bad && (!old.Confirmed.IsZero() || previous == ""); keep {
		if err := keepAs(s.file, s.name(".previous")); err != nil {
			return err
		}
		s.state.Previous = old
	}
	if err := moveOver(s.name(".part"), s.file); err != nil {
		return err
	}
	s.state.Current, s.state.Next, s.digest = next, nil, next.Digest
	return s.save()
}

// rollBack remembers the present program as bad and puts the previous one in
// its place.
func (s *files) rollBack(why string) error {
	previous, err := digestOf(s.name(".previous"))
	if err != nil {
		return err
	}
	if _, bad := s.state.bad(previous); previous == "" || previous == s.digest || bad {
		return hint.With(fmt.Errorf("roll back %s: %w", s.file, ErrNoPrevious), "publish a program that works; it is fetched at the next start")
	}
	current := s.state.Current
	if !s.intact() {
		current = Program{Digest: s.digest}
	}
	s.state.addBad(current, why)
	if err := s.save(); err != nil {
		return err
	}
	return s.restore()
}

// restore puts the previous program in place.
func (s *files) restore() error {
	previous, err := digestOf(s.name(".previous"))
	if err != nil {
		return err
	}
	if _, bad := s.state.bad(previous); previous == "" || previous == s.digest || bad {
		return ErrNoPrevious
	}
	if err := moveOver(s.name(".previous"), s.file); err != nil {
		return err
	}
	if s.state.Current = s.state.Previous; s.state.Current.Digest != previous {
		s.state.Current = Program{Digest: previous}
	}
	s.state.Previous, s.digest = Program{}, previous
	return s.save()
}

// confirm notes that the present program has proved good.
func (s *files) confirm() error {
	if s.digest == "" {
		return fmt.Errorf("confirm %s: %w", s.file, fs.ErrNotExist)
	}
	if !s.intact() {
		s.state.Current = Program{Digest: s.digest, Since: now()}
	}
	if !s.state.Current.Confirmed.IsZero() {
		return nil
	}
	s.state.Current.Confirmed = now()
	return s.save()
}

// digestOf returns the digest of a file, or "" if it is not there.
func digestOf(file string) (string, error) {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil && !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
		err = hint.With(fmt.Errorf("%s is no file", file), "the buildlet is kept there; choose another name, or move what is there away")
	}
	if err != nil {
		return "", err
	}
	digest, _, err := release.FileDigest(file)
	if errors.Is(err, fs.ErrNotExist) { // a link that leads nowhere
		return "", nil
	}
	return digest, err
}

// keepAs makes the content of file be in as, too, which it replaces.
func keepAs(file, as string) error {
	temp := as + ".new"
	os.Remove(temp)
	if err := os.Link(file, temp); err != nil {
		// Plan 9 and some file systems have no links.
		if err := copyFile(file, temp); err != nil {
			os.Remove(temp)
			return err
		}
	}
	if err := moveOver(temp, as); err != nil {
		os.Remove(temp)
		return err
	}
	// If both were the same file already, the rename has done nothing.
	os.Remove(temp)
	return nil
}

// moveOver renames from to to, which it replaces. A program that runs cannot
// be replaced on Windows, but renamed.
func moveOver(from, to string) error {
	err := os.Rename(from, to)
	if err != nil && runtime.GOOS == "windows" {
		aside, asideErr := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".old-*")
		if asideErr != nil {
			return err
		}
		aside.Close()
		os.Remove(aside.Name())
		if os.Rename(to, aside.Name()) != nil {
			return err
		}
		if err = os.Rename(from, to); err != nil {
			os.Rename(aside.Name(), to)
			return err
		}
		os.Remove(aside.Name()) // or at the next open
	}
	if err == nil {
		syncDir(filepath.Dir(to))
	}
	return err
}

// copyFile copies a program.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// syncDir puts the entries of dir on the disk, where the system can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// globQuote returns a name as a pattern that matches nothing else.
func globQuote(name string) string {
	if runtime.GOOS == "windows" { // which has no way to quote, nor such names often
		return name
	}
	var quoted []byte
	for i := range len(name) {
		switch name[i] {
		case '*', '?', '[', '\\':
			quoted = append(quoted, '\\')
		}
		quoted = append(quoted, name[i])
	}
	return string(quoted)
}
