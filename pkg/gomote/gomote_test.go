package gomote_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/gomote"
	"gobuild/pkg/hint"
)

// run runs a command line of the shell.
func (b *bench) run(t *testing.T, script string, opts gomote.RunOptions) (output string, state buildlet.ExitState, err error) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("no /bin/sh")
	}
	var out bytes.Buffer
	opts.Output = &out
	opts.Args = []string{"-c", script}
	state, err = b.Run(within(t), "/bin/sh", opts)
	return out.String(), state, err
}

// The environment is the builder type's, then the caller's, and the last of
// two wins.
func TestRunEnvironment(t *testing.T) {
	b := newBench(t, asIs)
	const script = `echo $GO_BUILDER_NAME $GO_DISABLE_OUTBOUND_NETWORK $MINE; pwd`
	for _, tt := range []struct {
		name string
		opts gomote.RunOptions
		want string
	}{
		{"the instance's own", gomote.RunOptions{}, testBuilder + " false"},
		{"the caller's", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{Env: []string{"MINE=m"}}}, testBuilder + " false m"},
		{"the caller's wins", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{Env: []string{"MINE=m", "GO_BUILDER_NAME=x", "MINE=n"}}}, "x false n"},
		{"another builder's", gomote.RunOptions{BuilderEnv: []string{"GO_BUILDER_NAME=other"}}, "other false"},
		{"no builder's", gomote.RunOptions{BuilderEnv: []string{}}, "false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mine := slices.Clone(tt.opts.Env)
			out, state, err := b.run(t, script, tt.opts)
			if err != nil || !state.OK() {
				t.Fatalf("%v, %v", state, err)
			}
			env, dir, _ := strings.Cut(strings.TrimSpace(out), "\n")
			if env != tt.want {
				t.Errorf("the command saw %q, want %q", env, tt.want)
			}
			if real, _ := filepath.EvalSymlinks(b.work); dir != b.work && dir != real {
				t.Errorf("a system command ran in %s", dir)
			}
			if !slices.Equal(mine, tt.opts.Env) {
				t.Errorf("the caller's list is now %q", tt.opts.Env)
			}
		})
	}
}

func TestRunExitState(t *testing.T) {
	b := newBench(t, asIs)
	_, state, err := b.run(t, "exit 7", gomote.RunOptions{})
	if err != nil || state.Code() != 7 {
		t.Errorf("%v, %v", state, err)
	}
	_, err = b.Run(within(t), "no-such-program", gomote.RunOptions{})
	if refused, ok := errors.AsType[*buildlet.StatusError](err); !ok || refused.Status != 422 {
		t.Errorf("error %v", err)
	}
}

func TestRunStdin(t *testing.T) {
	b := newBench(t, asIs)
	out, _, err := b.run(t, "cat", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{Stdin: strings.NewReader("hello")}})
	if err != nil || out != "hello" {
		t.Errorf("%q, %v", out, err)
	}
}

// Upstream's buildlet would drop standard input without a word.
func TestRunStdinUpstream(t *testing.T) {
	b := newBench(t, upstream)
	_, _, err := b.run(t, "cat", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{Stdin: strings.NewReader("hello")}})
	if err == nil || !strings.Contains(err.Error(), "board") || !strings.Contains(hint.Of(err), "gomote put") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	if out, _, err := b.run(t, "echo hello", gomote.RunOptions{}); err != nil || out != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestRunGivenUp(t *testing.T) {
	b := newBench(t, asIs)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	_, err := b.Run(ctx, "/bin/sh", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{
		Args: []string{"-c", "echo; exec sleep 1000"}, Output: writerFunc(func() { cancel() }),
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The output of a command breaks off when its instance ends under it: its
// caller is told why.
func TestRunOnEndedInstance(t *testing.T) {
	b := newBench(t, asIs)
	destroyed := make(chan error, 1)
	var once sync.Once
	_, err := b.Run(within(t), "/bin/sh", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{
		Args: []string{"-c", "echo; exec sleep 1000"}, Output: writerFunc(func() {
			once.Do(func() { go func() { destroyed <- b.client.Destroy(within(t), b.Instance().ID) }() })
		}),
	}})
	if err := <-destroyed; err != nil {
		t.Fatal(err)
	}
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeGone || !strings.Contains(err.Error(), "user-joe destroyed it") {
		t.Errorf("error %v", err)
	}
}

// What cannot be written here is no news of the instance.
func TestRunOutputNotWritten(t *testing.T) {
	b := newBench(t, asIs)
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	_, err = b.Run(within(t), "/bin/sh", gomote.RunOptions{ExecOptions: buildlet.ExecOptions{Args: []string{"-c", "echo"}, Output: file}})
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// writerFunc is called at each write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestLook(t *testing.T) {
	b := newBench(t, asIs)
	status, err := b.Ping(within(t))
	if err != nil || status.Version != buildlet.Version || !status.Has(buildlet.AdditionRead) {
		t.Errorf("%+v, %v", status, err)
	}
	if err := b.Put(within(t), strings.NewReader("x"), 1, "dir/file", 0o644, nil); err != nil {
		t.Fatal(err)
	}
	names := func() (list []string) {
		err := b.List(within(t), "dir", buildlet.ListOptions{}, func(e buildlet.Entry) error {
			list = append(list, e.Name)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return list
	}
	if got := names(); len(got) != 1 || got[0] != "file" {
		t.Errorf("listed %q", got)
	}
	if err := b.Remove(within(t), "dir/file"); err != nil {
		t.Error(err)
	}
	if got := names(); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
	if id := b.Instance().ID; id != "joe-linux-amd64-0" {
		t.Errorf("the instance is %s", id)
	}
}
