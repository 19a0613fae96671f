package machinetoken

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gobuild/pkg/hint"
)

// TestFullDisk saves a token on a file system that is full: a small tmpfs in
// a mount namespace of its own, where this test runs itself again.
func TestFullDisk(t *testing.T) {
	dir := os.Getenv("TEST_FULL_DISK")
	if dir == "" {
		cmd := exec.Command("unshare", "--mount", "--map-root-user", "sh", "-c",
			`mount -t tmpfs -o size=64k none "$TEST_FULL_DISK" && exec "$0" -test.run '^TestFullDisk$' -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), "TEST_FULL_DISK="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestFullDisk") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	f := newFarm(t)
	d := f.daemon()
	d.TokenFile = filepath.Join(dir, "token.json")
	if r := f.once(d); r.Err != nil {
		t.Fatal(r.Err)
	}
	old, err := os.ReadFile(d.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	// Fill it to the last byte.
	fill, err := os.Create(filepath.Join(dir, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; size /= 2 {
		for {
			if _, err := fill.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
	fill.Close()
	d.Force = true
	r := f.once(d)
	if r.Err == nil || r.Outcome != unknownSaveTokenError || !strings.Contains(hint.Of(r.Err), "is full") {
		t.Errorf("%+v, hint %q", r, hint.Of(r.Err))
	}
	if now, err := os.ReadFile(d.TokenFile); err != nil || string(now) != string(old) {
		t.Errorf("the old token is gone: %v", err)
	}
	if !r.Expiry.After(r.LastUpdate) {
		t.Errorf("the old token's times are gone: %+v", r)
	}
}
