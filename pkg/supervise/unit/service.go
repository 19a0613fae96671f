package unit

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"gobuild/pkg/hint"
)

// Service is what is to run.
type Service struct {
	// Name is what the init system knows it by: small letters, digits, dashes.
	Name string
	// Description says in a few words what it is.
	Description string
	// Program is the absolute path of the program, Args its arguments.
	Program string
	Args    []string
	// Once are the arguments of a run that looks once and ends, for cron; none
	// if there is no such thing, and cron looks whether it runs.
	Once []string
	// KeyFlag and KeyFile are the flag and the file of a secret that the
	// service reads. Where an init system can hand a secret over, it does.
	KeyFlag, KeyFile string
	// User is whom it runs as; empty for the system's own.
	User string
	// Builder is whom builds run as, for a worker that is the system's own.
	Builder string
	// WorkDir is a directory of the service's, which User gets: for a worker,
	// where builds write. Empty means HomeDir's work.
	WorkDir string
	// Shared are directories of other things that it writes, such as the one
	// of the token file.
	Shared []string
	// Reads are the files that it reads, which may lie where a sandbox hides
	// them.
	Reads []string
	// Hidden are files that it must not be able to read.
	Hidden []string
	// Env are variables, as KEY=VALUE. Unit files can be read by everybody.
	Env []string
	// Builds is set for a worker: it runs programs of every kind, so that a
	// sandbox may not take from it what a build needs.
	Builds bool
	// AllowReboot lets User reboot the machine with sudo, and nothing else.
	AllowReboot bool
	// StopWait is how long it may take to end.
	StopWait time.Duration
	// MemoryMax is systemd's MemoryMax=, such as 3G or 75%; empty for none.
	MemoryMax string
}

// Shapes of the names that stand unquoted in unit files.
var shapes = sync.OnceValue(func() (s struct{ name, user, env, memory, windows *regexp.Regexp }) {
	s.name = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	s.user = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)
	s.env = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	s.memory = regexp.MustCompile(`^[1-9][0-9]*[KMGT%]?$`)
	s.windows = regexp.MustCompile(`^[A-Za-z]:\\`)
	return s
})

// Limits of names, in bytes: Linux's useradd takes 32.
const maxName = 32

// Check says what of s no init system, or not this one, can take.
func (s Service) check(system Init) error {
	switch {
	case !shapes().name.MatchString(s.Name) || len(s.Name) > maxName:
		return hint.With(fmt.Errorf("service name %q: small letters, digits and single dashes, a letter first, at most %d", s.Name, maxName), "as gobuild-run-bot-02")
	case s.User != "" && system == Windows && strings.ContainsFunc(s.User, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`"'`+"`$%", r) }):
		return fmt.Errorf("user %q is no account", s.User)
	case s.User != "" && system != Windows && (!shapes().user.MatchString(s.User) || len(s.User) > maxName):
		return badUser(s.User)
	case s.MemoryMax != "" && !shapes().memory.MatchString(s.MemoryMax):
		return hint.With(fmt.Errorf("memory limit %q is no size", s.MemoryMax), "as 3G or 75%%")
	case s.Builder != "" && s.User != "":
		return fmt.Errorf("only a service of root's can have %s run what is built", s.Builder)
	case s.Builder != "" && (system == Windows || system == Plan9):
		return hint.With(fmt.Errorf("%s cannot keep what is built apart from the worker", system), "leave out --apart")
	case s.Builder == "root":
		return errors.New("builds that run as root are not apart from the worker")
	case s.Builder != "" && (!shapes().user.MatchString(s.Builder) || len(s.Builder) > maxName):
		return badUser(s.Builder)
	case s.AllowReboot && s.account() == "":
		return errors.New("a service of the system's own user may reboot the machine in any case")
	case s.StopWait < 0:
		return fmt.Errorf("a time to end in of %s", s.StopWait)
	}
	for _, pair := range s.Env {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !shapes().env.MatchString(key) {
			return hint.With(fmt.Errorf("variable %q is not KEY=VALUE", key), "as GODEBUG=http2client=0; a key is letters, digits and _")
		}
		if err := checkText(value); err != nil {
			return fmt.Errorf("variable %s: %w", key, err)
		}
	}
	for _, text := range slices.Concat([]string{s.Description, s.KeyFlag}, s.Args, s.Once) {
		if err := checkText(text); err != nil {
			return err
		}
	}
	if err := checkPath(system, s.Program); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	for _, file := range slices.Concat([]string{s.WorkDir, s.KeyFile}, s.Shared, s.Reads, s.Hidden) {
		if file == "" {
			continue
		}
		if err := checkPath(system, file); err != nil {
			return err
		}
	}
	return nil
}

func badUser(name string) error {
	return hint.With(fmt.Errorf("user %q: small letters, digits, _ and -, at most %d", name, maxName), "as gobuild-run-bot")
}

// account is the user that the service has besides the system's own, or "".
func (s Service) account() string { return cmp.Or(s.User, s.Builder) }

// checkText refuses what cannot stand in a line: a newline would begin another
// setting.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%q is no UTF-8 text", text)
	}
	for _, r := range text {
		// XML cannot say the noncharacters; the separators end lines for some.
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufffe' || r == '\uffff' {
			return hint.With(fmt.Errorf("%q has the character %U in it", text, r), "no unit file can hold it: take it out")
		}
	}
	return nil
}

// checkPath wants an absolute path that is written in one way only.
func checkPath(system Init, file string) error {
	if err := checkText(file); err != nil {
		return err
	}
	if system == Windows {
		if !shapes().windows.MatchString(file) {
			return hint.With(fmt.Errorf("%q is no absolute path on Windows", file), `write it in full, with the drive, as C:\ProgramData\gobuild\work; the program's place is --exec`)
		}
		if strings.ContainsAny(file, `"<>|?*`) {
			return fmt.Errorf("%q: no file on Windows is called so", file)
		}
		return nil
	}
	switch {
	case !strings.HasPrefix(file, "/"):
		return hint.With(fmt.Errorf("%q is no absolute path", file), "write it in full: a service begins in another directory")
	case path.Clean(file) != file:
		return hint.With(fmt.Errorf("%q is not written in the plain way", file), "as %s", path.Clean(file))
	case file == "/":
		return errors.New("/ is no place for a service")
	}
	return nil
}

// command returns the program and its arguments, those for the secret too.
func (s Service) command() []string {
	words := append([]string{s.Program}, s.Args...)
	if s.KeyFile != "" {
		words = append(words, s.KeyFlag, s.KeyFile)
	}
	return words
}

// once is command for one run.
func (s Service) once() []string { return append([]string{s.Program}, s.Once...) }

// underscored is the name where a shell variable is made of it.
func (s Service) underscored() string { return strings.ReplaceAll(s.Name, "-", "_") }

// env returns Env with PATH in it: cron and rc scripts come with a short one.
func (s Service) env(searchPath string) []string {
	if slices.ContainsFunc(s.Env, func(pair string) bool { return strings.HasPrefix(pair, "PATH=") }) {
		return s.Env
	}
	return append([]string{"PATH=" + searchPath}, s.Env...)
}

// below reports whether file is dir or in it.
func below(dir, file string) bool { return file == dir || strings.HasPrefix(file, dir+"/") }
