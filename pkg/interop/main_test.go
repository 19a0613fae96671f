package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait for what should take seconds.
const patience = 60 * time.Second

// bin is the directory of the built programs.
var bin string

// The programs under test and their peers, by the name of their binary.
var programs = map[string]string{
	"gobuild":             "gobuild/cmd/gobuild",
	"buildlet":            "golang.org/x/build/cmd/buildlet",
	"genbotcert":          "golang.org/x/build/cmd/genbotcert",
	"genbuilderkey":       "golang.org/x/build/cmd/genbuilderkey",
	"luci_machine_tokend": "go.chromium.org/luci/tokenserver/cmd/luci_machine_tokend",
	"bootstrapswarm":      "golang.org/x/build/cmd/bootstrapswarm",
	"stage0":              "golang.org/x/build/cmd/buildlet/stage0",
	"realtokenserver":     "gobuild/pkg/interop/realtokenserver",
}

// modules are the directories of programs that are built with the versions of
// a module of their own.
var modules = map[string]string{
	"gobuild":         "../..",
	"realtokenserver": "realtokenserver",
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gobuild-interop-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		for name, pkg := range programs {
			build := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
			build.Dir = modules[name]
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", pkg, err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// process is a program that runs until the test ends.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start runs a program with the test's environment and env. It is ended with
// the test, and its output shown if the test has failed.
func start(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, name), args...)
	p.cmd.Env = append(cleanEnv(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.text())
		}
	})
	return p
}

// stop ends the process and waits for its end.
func (p *process) stop() {
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// await waits until the process has said what.
func (p *process) await(what string) {
	p.t.Helper()
	waitFor(p.t, fmt.Sprintf("%s says %q", p.name, what), func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended (%v) before it said %q:\n%s", p.name, p.cmd.ProcessState, what, p.text())
		default:
		}
		return strings.Contains(p.text(), what)
	})
}

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// cleanEnv is the environment without what would lead the programs astray.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		switch name, _, _ := strings.Cut(kv, "="); {
		case strings.HasPrefix(name, "GOBUILD_"), strings.HasPrefix(name, "GO_BUILD"), strings.HasPrefix(name, "META_"),
			strings.HasPrefix(name, "GOMOTE"), strings.HasSuffix(strings.ToUpper(name), "_PROXY"):
		default:
			env = append(env, kv)
		}
	}
	return env
}

// result is what a program that has ended left behind.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program to its end.
func run(t testing.TB, env []string, stdin string, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	cmd.Env = append(cleanEnv(), env...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil || cmd.ProcessState == nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
