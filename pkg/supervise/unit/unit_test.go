package unit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
)

// hard is a service whose words are hard to quote, for every format.
func hard(system Init) Service {
	s := Service{
		Name: "gobuild-run-bot", Description: "Worker of a Go build farm",
		Program: "/opt/go build/gobuild", User: "gobuild-run-bot", Builds: true, StopWait: time.Minute,
		Args: hardWords(system),
	}
	for i, word := range hardWords(system) {
		s.Env = append(s.Env, fmt.Sprintf("V%d=%s", i, word))
	}
	if system == Windows {
		s.Program = `C:\Program Files\go build\gobuild.exe`
		s.User = "gobuild-run-bot"
	}
	return s
}

// hardWords are words that mean something to one format or another.
func hardWords(system Init) []string {
	words := []string{
		"plain", "two words", " ends in blank ", "", "it's", `say "hi"`, "$HOME", "${PATH}", "$(id)", "`id`", "a;b&c|d", "*", "~", "#no", "\\", `\\`, `end\`,
		`\n`, "<&>", "]]>", "--x=y", "größe 日本 ☃", "‘’", "a=b", "!", "{a,b}", "@", "; x", `\"`, `a\"b`, "'\\''", "''",
	}
	if system != Windows {
		words = append(words, "%", "%h", "100%%", "%n %{x}")
	}
	return words
}

func mustMake(t testing.TB, system Init, s Service) Plan {
	t.Helper()
	p, err := Make(system, s)
	if err != nil {
		t.Fatalf("%s: %v", system, err)
	}
	return p
}

// fileOf returns the text of the file of a plan whose path ends in suffix.
func fileOf(t testing.TB, p Plan, suffix string) string {
	t.Helper()
	for _, file := range p.Files {
		if strings.HasSuffix(file.Path, suffix) {
			return file.Text
		}
	}
	t.Fatalf("%s has no file ...%s", p.Init, suffix)
	return ""
}

// Every init system has a plan with files that can be removed again, none of
// which holds a newline that the service brought in.
func TestMake(t *testing.T) {
	for _, system := range Inits() {
		t.Run(string(system), func(t *testing.T) {
			p := mustMake(t, system, hard(system))
			if len(p.Files) == 0 {
				t.Fatal("no files")
			}
			for _, file := range p.Files {
				if !strings.Contains(file.Text, Mark) && !strings.HasSuffix(file.Path, "/timeout-kill") {
					t.Errorf("%s has no mark", file.Path)
				}
				if !strings.HasSuffix(file.Text, "\n") || strings.Contains(file.Text, "<no value>") {
					t.Errorf("%s is not whole:\n%s", file.Path, file.Text)
				}
				if file.Mode == 0 {
					t.Errorf("%s has no mode", file.Path)
				}
			}
		})
	}
}

// A worker that is root's has a user for what is built, with a home directory of
// his own in root's; the key is root's alone.
func TestApart(t *testing.T) {
	for _, system := range Inits() {
		s := hard(system)
		s.User, s.Builder, s.AllowReboot, s.KeyFlag, s.KeyFile = "", "builds", true, "--key-file", "/etc/gobuild/builder.key"
		if system == Windows {
			s.KeyFile = `C:\key`
		}
		p, err := Make(system, s)
		if system == Windows || system == Plan9 {
			if err == nil || hint.Of(err) == "" {
				t.Errorf("%s: %v", system, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", system, err)
		}
		owners := map[string]string{}
		for _, dir := range p.Dirs {
			owners[dir.Path] = dir.Owner
		}
		home := HomeDir(system, s.Name)
		if owner, ok := owners[home]; !ok || owner != "root" || owners[home+"/work"] != "root" || owners[home+"/home"] != "builds" {
			t.Errorf("%s: directories %v", system, p.Dirs)
		}
		if text := fileOf(t, p, "/sudoers.d/"+s.Name); !strings.Contains(text, "\nbuilds ALL=") {
			t.Errorf("%s: %s", system, text)
		}
		if notes := strings.Join(p.Notes, "\n"); !strings.Contains(notes, "chmod 600 /etc/gobuild/builder.key") {
			t.Errorf("%s: notes %q", system, p.Notes)
		}
	}
}

// What a line cannot hold is refused, wherever it stands.
func TestRefused(t *testing.T) {
	changes := map[string]func(*Service){
		"newline in an argument":      func(s *Service) { s.Args = []string{"a\nExecStartPre=/bin/sh"} },
		"carriage return":             func(s *Service) { s.Args = []string{"a\rb"} },
		"NUL":                         func(s *Service) { s.Args = []string{"a\x00b"} },
		"not UTF-8":                   func(s *Service) { s.Args = []string{"a\xffb"} },
		"line separator":              func(s *Service) { s.Args = []string{"a\u2028b"} },
		"newline in a variable":       func(s *Service) { s.Env = []string{"A=b\nUser=root"} },
		"blank in a variable's name":  func(s *Service) { s.Env = []string{"A B=c"} },
		"no variable":                 func(s *Service) { s.Env = []string{"A"} },
		"newline in the work dir":     func(s *Service) { s.WorkDir = "/work\nUser=root" },
		"relative work dir":           func(s *Service) { s.WorkDir = "work" },
		"work dir with ..":            func(s *Service) { s.WorkDir = "/work/../etc" },
		"newline in the program":      func(s *Service) { s.Program = "/bin/x\ny" },
		"relative program":            func(s *Service) { s.Program = "gobuild" },
		"newline in the key file":     func(s *Service) { s.KeyFlag, s.KeyFile = "--key-file", "/a\nb" },
		"newline in a hidden file":    func(s *Service) { s.Hidden = []string{"/a\nb"} },
		"newline in a shared dir":     func(s *Service) { s.Shared = []string{"/a\nb"} },
		"newline in the description":  func(s *Service) { s.Description = "a\nb" },
		"user with a command":         func(s *Service) { s.User = "x; rm -rf /" },
		"user with a newline":         func(s *Service) { s.User = "x\ny" },
		"user for all of sudo":        func(s *Service) { s.User = "ALL"; s.AllowReboot = true },
		"name with a path":            func(s *Service) { s.Name = "../../etc/passwd" },
		"name with a variable":        func(s *Service) { s.Name = "a$b" },
		"empty name":                  func(s *Service) { s.Name = "" },
		"memory with more":            func(s *Service) { s.MemoryMax = "3G\nUser=root" },
		"builds as ALL":               func(s *Service) { s.User, s.Builder = "", "ALL" },
		"builds as root":              func(s *Service) { s.User, s.Builder = "", "root" },
		"builds as another's":         func(s *Service) { s.Builder = "builds" },
		"reboot by the system itself": func(s *Service) { s.User, s.AllowReboot = "", true },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			for _, system := range Inits() {
				s := hard(system)
				change(&s)
				if system == Windows && (s.User == "ALL" || s.User == "x; rm -rf /") {
					continue // accounts there may be called so, and stand in quotes
				}
				if p, err := Make(system, s); err == nil {
					t.Errorf("%s takes it:\n%s", system, p.Files[0].Text)
				}
			}
		})
	}
}

// argPrinter is a program that writes its arguments and the variables V0 to
// V99, each ended by a NUL, to the file $OUT; as a shell script, so that a
// user of any kind may run it.
const argPrinter = `#!/bin/sh
{
	for arg; do printf '%s\0' "$arg"; done
	i=0
	while [ "$i" -lt "$COUNT" ]; do eval "printf '%s\0' \"\$V$i\""; i=$((i + 1)); done
} >"$OUT.new"
mv "$OUT.new" "$OUT"
`

// runnable returns a service that runs argPrinter with hard words, and the
// file that it writes. Blanks and quotes are in the program's path too.
func runnable(t *testing.T, system Init) (s Service, out string, want []string) {
	dir := filepath.Join(t.TempDir(), "it's a dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s = hard(system)
	s.Program = filepath.Join(dir, "print args")
	if err := os.WriteFile(s.Program, []byte(argPrinter), 0o755); err != nil {
		t.Fatal(err)
	}
	out = filepath.Join(dir, "out")
	words := hardWords(system)
	s.Env = append(s.Env, "OUT="+out, fmt.Sprintf("COUNT=%d", len(words)))
	return s, out, slices.Concat(words, words)
}

// checkOutput compares what argPrinter has written.
func checkOutput(t *testing.T, out string, want []string) {
	t.Helper()
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// at replaces the directories of a script by ones that a test may use.
func at(text, home string, s Service) string {
	for _, dir := range []string{"/var/lib/", "/var/db/", "/var/opt/"} {
		text = strings.ReplaceAll(text, dir+s.Name, home)
	}
	return text
}

// shells are those that are there, of the kinds that systems have as sh.
func shells() []string {
	var there []string
	for _, shell := range []string{"sh", "dash", "bash", "ksh", "mksh", "busybox"} {
		if path, err := exec.LookPath(shell); err == nil {
			there = append(there, path)
		}
	}
	return there
}

// The scripts hand every word on as it is, in every shell.
func TestScriptsKeepWords(t *testing.T) {
	if len(shells()) == 0 {
		t.Skip("no shell")
	}
	for _, shell := range shells() {
		for _, system := range []Init{OpenRC, Cron, SMF, Supervisord, RCFreeBSD} {
			t.Run(filepath.Base(shell)+"/"+string(system), func(t *testing.T) {
				s, out, want := runnable(t, system)
				home := t.TempDir()
				script := at(fileOf(t, mustMake(t, system, s), "/gobuild-run-bot"), home, s)
				file := filepath.Join(home, "script")
				if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
				argv := []string{shell, file}
				if filepath.Base(shell) == "busybox" {
					argv = []string{shell, "sh", file}
				}
				if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s\n%s", err, text, script)
				}
				checkOutput(t, out, want)
			})
		}
	}
}

// FuzzShell has a real shell take words apart again.
func FuzzShell(f *testing.F) {
	for _, word := range hardWords(Cron) {
		f.Add(word, "x")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("no sh")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if checkText(a) != nil || checkText(b) != nil {
			return
		}
		got, err := exec.Command(sh, "-c", "printf '%s\\0' "+joinQuoted(quoteShell, []string{a, b})).Output()
		if err != nil || string(got) != a+"\x00"+b+"\x00" {
			t.Errorf("%q, %q came back as %q, %v", a, b, got, err)
		}
	})
}

// FuzzMake looks for a service that is taken, and breaks out of its line: all
// files have as many lines as those of a harmless one.
func FuzzMake(f *testing.F) {
	for _, word := range hardWords(Cron) {
		f.Add(word, word, "/work/"+word, "user")
	}
	lines := map[Init]int{}
	count := func(p Plan) int {
		n := 0
		for _, file := range p.Files {
			n += strings.Count(file.Text, "\n")
		}
		return n
	}
	service := func(arg, value, dir, user string) Service {
		return Service{Name: "x", Program: "/bin/x", Args: []string{arg}, Env: []string{"A=" + value}, WorkDir: dir, Hidden: []string{dir}, User: user, Builds: true}
	}
	for _, system := range Inits() {
		if system != Windows {
			lines[system] = count(mustMake(f, system, service("a", "b", "/c", "d")))
		}
	}
	f.Fuzz(func(t *testing.T, arg, value, dir, user string) {
		for system, want := range lines {
			p, err := Make(system, service(arg, value, dir, user))
			if err != nil {
				continue
			}
			if got := count(p); got != want {
				t.Errorf("%s: %d lines, not %d:\n%v", system, got, want, p.Files)
			}
		}
	})
}

// TestQuoteWindows has the cases of CommandLineToArgvW's documentation.
func TestQuoteWindows(t *testing.T) {
	for word, want := range map[string]string{
		"":              `""`,
		"a":             "a",
		"a b":           `"a b"`,
		`a\b`:           `a\b`,
		`a b\`:          `"a b\\"`,
		`a"b`:           `"a\"b"`,
		`a\"b`:          `"a\\\"b"`,
		`C:\x y\\z`:     `"C:\x y\\z"`,
		`end\`:          `end\`,
		`"`:             `"\""`,
		`a\\" b`:        `"a\\\\\" b"`,
		"tab\tin":       "\"tab\tin\"",
		`C:\go\g.exe`:   `C:\go\g.exe`,
		`--w=C:\a b\c\`: `"--w=C:\a b\c\\"`,
	} {
		if got := quoteWindows(word); got != want {
			t.Errorf("quoteWindows(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestQuoteRC(t *testing.T) {
	for word, want := range map[string]string{"a": "a", "": "''", "it's": "'it''s'", "a=b": "'a=b'", "$x": "'$x'"} {
		if got := quoteRC(word); got != want {
			t.Errorf("quoteRC(%q) = %s, want %s", word, got, want)
		}
	}
}

// Windows' service manager would take the one for a variable, and cannot be
// told otherwise.
func TestWindowsPercent(t *testing.T) {
	s := hard(Windows)
	s.Args = []string{"--notify-command=%PATH%"}
	if _, err := Make(Windows, s); err == nil {
		t.Error("a % in a command is taken")
	}
}

func TestNewUser(t *testing.T) {
	has := func(programs ...string) func(string) bool {
		return func(program string) bool { return slices.Contains(programs, program) }
	}
	for _, tt := range []struct {
		goos  string
		found func(string) bool
		want  string
	}{
		{"linux", has("useradd", "adduser", "addgroup"), "useradd"},
		{"linux", has("adduser", "addgroup"), "addgroup adduser"},
		{"freebsd", has("pw"), "pw"},
		{"openbsd", has("useradd"), "useradd"},
		{"solaris", has("useradd"), "groupadd useradd"},
		{"darwin", has(), ""},
		{"aix", has(), ""},
	} {
		var got []string
		for _, argv := range newUser(tt.goos, "name", "/home/dir", tt.found) {
			got = append(got, argv[0])
			if argv[len(argv)-1] != "name" && !slices.Contains(argv, "name") {
				t.Errorf("%s: %q does not name the user", tt.goos, argv)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %s", tt.goos, got, tt.want)
		}
	}
}
