package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gobuild/pkg/hint"
)

func TestWriteNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := WriteNew(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, path, "one", 0o600)
	if err := WriteNew(path, []byte("two"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing file: error %v, want fs.ErrExist", err)
	}
	check(t, path, "one", 0o600)
}

// A dangling link is something, too: what it names must not be made.
func TestWriteNewLeavesLinks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), path); err != nil {
		t.Skip(err)
	}
	if err := WriteNew(path, nil, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want fs.ErrExist", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("the link's target was made")
	}
}

// Of many at the same time, one wins, and its content is whole.
func TestWriteNewRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []string
	for _, text := range []string{"aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff"} {
		wg.Go(func() {
			if WriteNew(path, []byte(text), 0o600) == nil {
				mu.Lock()
				won = append(won, text)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d writers made the one file", len(won))
	}
	check(t, path, won[0], 0o600)
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, text := range []string{"one", "two"} {
		if err := Replace(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		check(t, path, text, 0o644)
	}
}

// Errors name the target, not a temporary file, and say what to do.
func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "key")
	for _, err := range []error{WriteNew(path, nil, 0o600), Replace(path, nil, 0o600)} {
		if err == nil || !strings.HasPrefix(err.Error(), "write "+path+": ") || !strings.Contains(hint.Of(err), "has to be there") {
			t.Errorf("error %v, hint %q", err, hint.Of(err))
		}
	}
}

// check looks at the file, and that nothing else lies beside it.
func check(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("content %q, %v; want %q", got, err, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != mode {
		t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("beside the file lie others: %v", entries)
	}
}
