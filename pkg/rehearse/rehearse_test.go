package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// program is a gobuild of this source tree.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rehearse-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "gobuild")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "gobuild/cmd/gobuild")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// rehearsal runs rehearsals in a directory of their own and checks that
// nothing is left of them.
type rehearsal struct {
	*testing.T
	play  func(context.Context, Options) error
	tmp   string
	steps []Step
}

func newRehearsal(t *testing.T) *rehearsal {
	r := &rehearsal{T: t, play: Coordinator, tmp: t.TempDir()}
	t.Setenv("TMPDIR", r.tmp)
	t.Setenv("TMP", r.tmp)
	// The settings of a real farm are not to lead it astray.
	t.Setenv("GOBUILD_COORDINATOR", "https://farm.invalid")
	t.Setenv("GOBUILD_KEY_FILE", "/nonexistent")
	t.Setenv("GO_BUILD_KEY_PATH", "/nonexistent")
	return r
}

func (r *rehearsal) run(ctx context.Context, opts Options) error {
	r.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	told := opts.Step
	opts.Step = func(s Step) {
		r.steps = append(r.steps, s)
		if told != nil {
			told(s)
		}
	}
	err := r.play(ctx, opts)
	left, readErr := os.ReadDir(r.tmp)
	if readErr != nil || len(left) > 0 {
		r.Errorf("left behind: %v (%v)", left, readErr)
	}
	if pids := r.processes(); len(pids) > 0 {
		r.Errorf("processes are left: %v", pids)
	}
	return err
}

// processes returns the processes whose environment or command line names the
// rehearsal's directory; this needs Linux's /proc.
func (r *rehearsal) processes() (list []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if bytes.Contains(env, []byte(r.tmp+"/gobuild-rehearse-")) || bytes.Contains(args, []byte(r.tmp+"/gobuild-rehearse-")) {
			list = append(list, filepath.Base(dir)+" "+strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return list
}

func TestRehearsalPasses(t *testing.T) {
	r := newRehearsal(t)
	if err := r.run(t.Context(), Options{Program: program}); err != nil {
		t.Errorf("%v: %+v", err, r.steps)
	}
	want := []string{"master key", "coordinator serves", "wrong builder key", "buildlet registered", "instance created",
		"command run", "exit code", "file put", "instance destroyed"}
	if len(r.steps) != len(want) {
		t.Fatalf("%d steps: %+v", len(r.steps), r.steps)
	}
	for i, s := range r.steps {
		if !strings.Contains(s.Name, want[i]) || s.Err != nil || s.Failure != "" || s.Took <= 0 {
			t.Errorf("step %d: %+v, want %q", i, s, want[i])
		}
		if strings.Contains(s.Command, "INSTANCE") {
			t.Errorf("step %d: %s", i, s.Command)
		}
	}
}

// An interrupt at any step ends it all.
func TestRehearsalInterrupted(t *testing.T) {
	for _, at := range []int{1, 4, 6} {
		t.Run(fmt.Sprint("after step ", at), func(t *testing.T) {
			r := newRehearsal(t)
			why := errors.New("somebody pressed the button")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			err := r.run(ctx, Options{Program: program, Step: func(s Step) {
				if s.Err != nil {
					t.Errorf("an interrupted step was told of as failed: %+v", s)
				}
				if len(r.steps) == at {
					cancel(why)
				}
			}})
			if !errors.Is(err, why) {
				t.Errorf("error %v", err)
			}
			if len(r.steps) != at {
				t.Errorf("%d steps were taken", len(r.steps))
			}
		})
	}
}

// A step that an interrupt catches in the middle leaves nothing either.
func TestRehearsalInterruptedInAStep(t *testing.T) {
	r := newRehearsal(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx, Options{Program: program}) }()
	for deadline := time.Now().Add(time.Minute); len(r.processes()) == 0; time.Sleep(time.Millisecond) {
		if runtime.GOOS != "linux" || time.Now().After(deadline) {
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestRehearsalKept(t *testing.T) {
	r := newRehearsal(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := false
	err := r.run(ctx, Options{Program: program, Keep: true, Ready: func(f Farm) {
		defer cancel()
		ready = true
		if _, err := os.Stat(f.Dir); err != nil || !strings.HasPrefix(f.Dir, r.tmp) {
			t.Errorf("everything is in %s: %v", f.Dir, err)
		}
		if !strings.HasPrefix(f.StatusURL, "https://localhost:") {
			t.Errorf("the status page is %s", f.StatusURL)
		}
		if len(f.Try) == 0 {
			t.Error("there is nothing to try")
		}
		for _, try := range f.Try {
			f.try(t, try)
		}
		// The certificate is not one that the system trusts.
		req, _ := http.NewRequestWithContext(ctx, "GET", f.StatusURL, nil)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			t.Error("the farm's certificate is trusted by everybody")
		}
		http.DefaultClient.CloseIdleConnections()
	}})
	if err != nil || !ready {
		t.Errorf("ready: %v, %v: %+v", ready, err, r.steps)
	}
}

// try runs a command that the farm's description names.
func (f Farm) try(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if words[0] != "gobuild" {
		t.Errorf("%q does not begin with gobuild", line)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, words[1:]...)
	cmd.Env = append(os.Environ(), f.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}

// A program that is broken gives a step that says why.
func TestRehearsalFails(t *testing.T) {
	falseProgram, err := exec.LookPath("false")
	if err != nil {
		t.Skip("no program false")
	}
	script := func(text string) string {
		file := filepath.Join(t.TempDir(), "gobuild")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, tt := range []struct {
		name, program string
		steps         int // told of, the failed one included
		why           []string
	}{
		{"false", falseProgram, 2, []string{"the coordinator ended (exit status 1): it said nothing"}},
		{"not there", filepath.Join(t.TempDir(), "none"), 2, []string{"start coordinator: "}},
		{"talks", script(`echo "error: no disk" >&2; echo "hint: buy one" >&2; exit 3`), 2,
			[]string{"the coordinator ended (exit status 3): error: no disk | hint: buy one"}},
		{"lets everybody in", script(`case $1 in coordinator) exec "` + program + `" "$@";; esac`), 3,
			[]string{"was not refused"}},
		{"wrong code", script(`case "$*" in *exit*7) exit 1;; esac; exec "` + program + `" "$@"`), 7,
			[]string{"exit code 1, not 7"}},
		{"loses files", script(`case "$*" in *" get "*) exit 0;; esac; exec "` + program + `" "$@"`), 8,
			[]string{"fetched: no such file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRehearsal(t)
			if err := r.run(t.Context(), Options{Program: tt.program}); !errors.Is(err, errFailed) {
				t.Errorf("error %v", err)
			}
			if len(r.steps) != tt.steps {
				t.Fatalf("%d steps: %+v", len(r.steps), r.steps)
			}
			for i, s := range r.steps[:tt.steps-1] {
				if s.Err != nil {
					t.Errorf("step %d failed: %v", i, s.Err)
				}
			}
			last := r.steps[tt.steps-1]
			if last.Err == nil || last.Failure != last.Err.Error() {
				t.Fatalf("the last step: %+v", last)
			}
			for _, why := range tt.why {
				if !strings.Contains(last.Failure, why) {
					t.Errorf("failed with %q, want %q", last.Failure, why)
				}
			}
		})
	}
}

func TestNoPlaceForTheRehearsal(t *testing.T) {
	r := newRehearsal(t)
	t.Setenv("TMPDIR", filepath.Join(r.tmp, "none"))
	t.Setenv("TMP", filepath.Join(r.tmp, "none"))
	if err := Coordinator(t.Context(), Options{Program: program}); err == nil || !strings.Contains(err.Error(), "directory for the rehearsal") {
		t.Errorf("error %v", err)
	}
}

// A step that takes too long says so, once.
func TestStepTimeout(t *testing.T) {
	var told Step
	r := &run{stepWait: time.Millisecond, opts: Options{Step: func(s Step) { told = s }}}
	for _, tt := range []struct {
		name string
		err  func(ctx context.Context) error
		want string
	}{
		{"which says so itself", func(ctx context.Context) error { return fmt.Errorf("%w; it said: x", context.Cause(ctx)) },
			"not done within 1ms; it said: x"},
		{"which does not", func(context.Context) error { return errors.New("signal: killed") },
			"not done within 1ms (signal: killed)"},
	} {
		err := r.step(t.Context(), "wait", "", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", tt.err(ctx)
		})
		if !errors.Is(err, errFailed) || told.Failure != tt.want {
			t.Errorf("%s: error %v, told %q", tt.name, err, told.Failure)
		}
	}
}

func TestLogField(t *testing.T) {
	for _, tt := range []struct{ name, log, want string }{
		{"none", "level=INFO msg=x\n", ""},
		{"empty", "", ""},
		{"at the end", "level=INFO url=https://x:1\n", "https://x:1"},
		{"in the middle", "level=INFO url=https://x:1 b=c\n", "https://x:1"},
		{"the last line's", "a url=1\nb url=2\nc=d\n", "2"},
		{"another name's end", "a curl=1\n", ""},
		{"not complete", "a url=https://x:1", ""},
		{"quoted", `a url="a \"b\" c" d=e` + "\n", `a "b" c`},
		{"badly quoted", `a url="a b` + "\n", `"a`},
	} {
		var b logBuffer
		io.WriteString(&b, tt.log)
		if got := b.field("url"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTail(t *testing.T) {
	for text, want := range map[string]string{
		"": "it said nothing", "\n": "it said nothing", "a\n": "a", "a\nb\nc\n": "b | c",
	} {
		if got := tail(text, 2); got != want {
			t.Errorf("tail(%q) = %q, want %q", text, got, want)
		}
	}
	if got := shellWords([]string{"sh", "-c", "exit 7", ""}); got != "sh -c 'exit 7' ''" {
		t.Errorf("shellWords gives %s", got)
	}
}
