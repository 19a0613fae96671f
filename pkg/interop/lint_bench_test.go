package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The real builders.go linted by a whole process, in its module (where the
// table of people and the switches are read too) and alone, beside go vet and
// upstream's own tests of the same package, both with everything cached that
// they can cache.
func BenchmarkLint(b *testing.B) {
	dir := moduleDir(b, upstreamBuild)
	file := filepath.Join(dir, "dashboard", "builders.go")
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	alone := filepath.Join(b.TempDir(), "builders.go")
	if err := os.WriteFile(alone, text, 0o644); err != nil {
		b.Fatal(err)
	}
	for _, peer := range []struct {
		name string
		argv []string
	}{
		{"gobuild-alone", []string{filepath.Join(bin, "gobuild"), "lint", alone}},
		{"gobuild-in-module", []string{filepath.Join(bin, "gobuild"), "lint", file}},
		{"go-vet", []string{"go", "vet", upstreamBuild + "/dashboard"}},
		{"go-test", []string{"go", "test", "-count=1", upstreamBuild + "/dashboard"}},
	} {
		b.Run(peer.name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(peer.argv[0], peer.argv[1:]...)
				cmd.Env = cleanEnv()
				out, err := cmd.CombinedOutput()
				if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 1 || peer.argv[0] == "go") {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
