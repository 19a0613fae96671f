//go:build !plan9

package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/unit"
)

// TestServiceExamples checks that examples/service holds, for each init
// system, what "service install --dest" writes for a sample.
func TestServiceExamples(t *testing.T) {
	top := filepath.Join("..", "..", "examples", "service")
	for _, system := range unit.Inits() {
		for _, args := range [][]string{
			{"--for", "run-bot", "--hostname", "linux-riscv64-gopher", "--health-addr", "localhost:8081", "--allow-reboot"},
			{"--for", "tokend", "--cert-pem", "/etc/luci/bot.cert", "--pkey-pem", "/etc/luci/bot.key"},
			{"--for", "run-bot", "--name", "gobuild-farm-bot", "--host-type", "host-linux-riscv64", "--coordinator", "https://farm.example", "--key-file", "/etc/gobuild/builder.key"},
		} {
			if system == unit.Windows {
				args = slices.Clone(args)
				for i, arg := range args {
					if strings.HasPrefix(arg, "/etc/") {
						args[i] = "C:" + strings.ReplaceAll(strings.TrimPrefix(arg, "/etc"), "/", `\`)
					}
				}
			}
			dir := t.TempDir()
			a, _, stderr := testApp()
			root := newRootCommand(a)
			root.SetArgs(append([]string{"service", "install", "--config", os.DevNull, "--init", string(system), "--exec", unit.DefaultProgram(system), "--dest", dir}, args...))
			if err := root.Execute(); err != nil {
				t.Fatalf("%s: %v\n%s", system, err, stderr)
			}
			err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				rel, _ := filepath.Rel(dir, path)
				example := filepath.Join(top, string(system), rel)
				if *update {
					if err := os.MkdirAll(filepath.Dir(example), 0o755); err != nil {
						return err
					}
					return os.WriteFile(example, text, 0o644)
				}
				old, err := os.ReadFile(example)
				if err != nil || string(old) != string(text) {
					t.Errorf("%s is not what gobuild service gives (%v); run go test ./cmd/gobuild -run TestServiceExamples -update", example, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A worker's own state is asked for where it answers.
func TestAskWorker(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: supervise.Handler(func() supervise.Status {
		return supervise.Status{Name: "bot", State: supervise.Running, Trouble: "it is quarantined"}
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	for _, addr := range []string{listener.Addr().String(), ":" + port, "0.0.0.0:" + port} {
		line, err := askWorker(t.Context(), addr)
		if err != nil || !strings.Contains(line, "it is quarantined") {
			t.Errorf("askWorker(%q) = %q, %v", addr, line, err)
		}
	}
	server.Close()
	if line, err := askWorker(t.Context(), listener.Addr().String()); err == nil {
		t.Errorf("nobody listens, and says %q", line)
	}
}
