package release

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/ports"
)

func TestPublish(t *testing.T) {
	here := ports.Port{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH}
	file := build(t, here)
	p := Publication{Key: newKey(t), Dir: filepath.Join(t.TempDir(), "dl"), Version: "1.2.3", Now: signedAt.Add(time.Millisecond)}
	keys := []PublicKey{p.Key.Public()}
	got, err := p.Publish(file)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(p.Dir, "buildlet."+here.String())
	if got.File != target || got.Port != here.String() || got.Version != "1.2.3" || !got.Signed.Equal(signedAt) || got.Key != p.Key.Public().ID() {
		t.Errorf("published %+v", got)
	}
	if checked, err := Check(target, keys); err != nil || checked != got {
		t.Errorf("checked %+v, %v; published %+v", checked, err, got)
	}
	entries, _ := os.ReadDir(p.Dir)
	if len(entries) != 3 {
		t.Errorf("the directory holds %v", entries)
	}

	// Again, at the same moment: it is the later one all the same.
	if again, err := p.Publish(file); err != nil || !again.Signed.After(got.Signed) {
		t.Errorf("published %+v, %v", again, err)
	}
	older := p
	older.Version = "1.2.2"
	if _, err := older.Publish(file); err == nil || !strings.Contains(err.Error(), "1.2.3, which is newer than 1.2.2") || hint.Of(err) == "" {
		t.Errorf("an older one: %v", err)
	}
	older.Force = true
	if _, err := older.Publish(file); err != nil {
		t.Error(err)
	}
	other := p
	other.Key = newKey(t)
	if _, err := other.Publish(file); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	if checked, err := Check(target, keys); err != nil || checked.Version != "1.2.2" {
		t.Errorf("%+v, %v", checked, err)
	}
	other.Force = true
	if _, err := other.Publish(file); err != nil {
		t.Error(err)
	}

	// Names that lie, and what is no program.
	for name, data := range map[string][]byte{"buildlet.plan9-arm": readAll(t, file), "buildlet": []byte("#!/bin/sh\n")} {
		if _, err := p.Publish(write(t, t.TempDir(), name, data)); err == nil {
			t.Errorf("%s was published", name)
		}
	}
}

func readAll(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCheck(t *testing.T) {
	key := newKey(t)
	keys := []PublicKey{key.Public()}
	dir := t.TempDir()
	file := write(t, dir, "f", []byte("content"))
	if _, err := Check(file, keys); err == nil || hint.Of(err) == "" {
		t.Errorf("without a signature: %v", err)
	}
	if _, err := SignFile(file, key, "1", signedAt); err != nil {
		t.Fatal(err)
	}
	if p, err := Check(file, keys); err != nil || p.Version != "1" || p.Port != "" {
		t.Errorf("%+v, %v", p, err)
	}
	write(t, dir, "g", []byte("content"))
	write(t, dir, "g.sig", readAll(t, file+".sig"))
	if _, err := Check(filepath.Join(dir, "g"), keys); err == nil || !strings.Contains(err.Error(), `a file called "f"`) {
		t.Errorf("another's signature: %v", err)
	}
	write(t, dir, "f.sha256", []byte(DigestLine(strings.Repeat("0", 64), "f")))
	if _, err := Check(file, keys); err == nil || !strings.Contains(err.Error(), "f.sha256") {
		t.Errorf("another digest: %v", err)
	}
	os.Remove(file + ".sha256")
	if _, err := Check(file, keys); err != nil {
		t.Error(err)
	}
	write(t, dir, "f", []byte("Content"))
	if _, err := Check(file, keys); err == nil {
		t.Error("a changed file is good")
	}
}
