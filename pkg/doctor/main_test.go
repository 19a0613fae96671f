package doctor

import (
	"context"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/netdial"
)

var update = flag.Bool("update", false, "write the golden files of reports anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// examine returns an exam with these options, as Run makes it, with an
// environment of its own.
func examine(t *testing.T, o Options, env ...string) *exam {
	t.Helper()
	o.Getenv = func(name string) string {
		for i := 0; i < len(env); i += 2 {
			if env[i] == name {
				return env[i+1]
			}
		}
		return ""
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dialer == nil {
		o.Dialer = &netdial.Dialer{}
	}
	if o.Dialer.Proxy == nil {
		o.Dialer.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	return newExam(t.Context(), o)
}

// tree writes files below a new directory and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		put(t, filepath.Join(root, name), text, 0o644)
	}
	return root
}

func put(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// expect is what a test wants of a finding: its state, and pieces of its text
// and of its remedy.
type expect struct {
	state         State
	found, remedy string
}

// compare checks findings against what is expected of each.
func compare(t *testing.T, got []Finding, want ...expect) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d findings, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if got[i].State != w.state || !contains(got[i].Found, w.found) || !contains(got[i].Remedy, w.remedy) {
			t.Errorf("got %s: %q, remedy %q\nwant %s: %q, remedy %q", got[i].State, got[i].Found, got[i].Remedy, w.state, w.found, w.remedy)
		}
		if (got[i].State == Fail || got[i].State == Warn) && got[i].Remedy == "" {
			t.Errorf("%s: %q has no remedy", got[i].State, got[i].Found)
		}
	}
}

// within returns a context that ends before the test does.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
