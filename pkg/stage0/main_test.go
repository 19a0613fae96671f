package stage0

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/release"
)

// port is that of this machine.
var port = runtime.GOOS + "-" + runtime.GOARCH

// program is a buildlet's stand-in for this machine, otherProgram for another.
var program, otherProgram []byte

const otherArch = "s390x"

func TestMain(m *testing.M) {
	if os.Getenv(fetchChild) != "" {
		os.Exit(runFetchChild())
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stage0-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		for goarch, content := range map[string]*[]byte{runtime.GOARCH: &program, otherArch: &otherProgram} {
			out := filepath.Join(dir, goarch)
			build := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "./testdata/program")
			build.Env = append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
			text, err := build.CombinedOutput()
			if err == nil {
				*content, err = os.ReadFile(out)
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "%v\n%s", err, text)
				return 1
			}
		}
		return m.Run()
	}())
}

// variant returns a program that behaves by mode; what stands behind a
// program's end is nothing to the system.
func variant(mode string) []byte { return append(bytes.Clone(program), "\n"+mode...) }

// farm is a server that publishes one program.
type farm struct {
	*httptest.Server
	t    *testing.T
	key  release.PrivateKey
	name string

	mu       sync.Mutex
	files    map[string][]byte
	changed  time.Time
	etag     string
	requests []*http.Request
	// fault answers in the server's place if it returns true.
	fault func(w http.ResponseWriter, r *http.Request, content []byte) bool
}

func newFarm(t *testing.T) *farm {
	key, err := release.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	m := &farm{t: t, key: key, name: "buildlet." + port, files: map[string][]byte{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *farm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/dl/")
	m.mu.Lock()
	content, ok := m.files[name]
	changed, etag, fault := m.changed, m.etag, m.fault
	m.requests = append(m.requests, r)
	m.mu.Unlock()
	if fault != nil && fault(w, r, content) {
		return
	}
	if !ok {
		http.Error(w, "no such file here", http.StatusNotFound)
		return
	}
	if name == m.name && etag != "" {
		w.Header().Set("ETag", etag)
	}
	http.ServeContent(w, r, name, changed, bytes.NewReader(content))
}

// epoch is when the first release was signed.
var epoch = time.Unix(1_790_000_000, 0).UTC()

// publish publishes content as the release of a day.
func (m *farm) publish(content []byte, day int) {
	m.t.Helper()
	m.publishAs(m.key, release.Info{File: m.name, Version: fmt.Sprintf("1.0.%d", day), Signed: epoch.AddDate(0, 0, day)}, content)
}

func (m *farm) publishAs(key release.PrivateKey, i release.Info, content []byte) {
	m.t.Helper()
	sig, err := release.Sign(bytes.NewReader(content), key, i)
	if err != nil {
		m.t.Fatal(err)
	}
	file := filepath.Join(m.t.TempDir(), "f")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		m.t.Fatal(err)
	}
	digest, _, err := release.FileDigest(file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[m.name], m.files[m.name+".sig"] = content, sig
	m.files[m.name+".sha256"] = []byte(release.DigestLine(digest, m.name))
	m.changed, m.etag = i.Signed, `"`+digest+`"`
}

// set changes one of the published files alone; nil takes it away.
func (m *farm) set(suffix string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[m.name+suffix] = content; content == nil {
		delete(m.files, m.name+suffix)
	}
}

func (m *farm) setFault(fault func(http.ResponseWriter, *http.Request, []byte) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// seen returns the requests for the program since the last call, and how many
// there were in all.
func (m *farm) seen() (forProgram []*http.Request, all int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.requests {
		if r.URL.Path == "/dl/"+m.name {
			forProgram = append(forProgram, r)
		}
	}
	all, m.requests = len(m.requests), nil
	return forProgram, all
}

// isProgram reports whether a request is for the program itself.
func (m *farm) isProgram(r *http.Request) bool { return r.URL.Path == "/dl/"+m.name }

// fetcher returns what keeps the farm's program up to date in a new directory.
func (m *farm) fetcher() *Fetcher {
	return &Fetcher{
		URL: m.URL + "/dl/" + m.name, File: filepath.Join(m.t.TempDir(), "buildlet.exe"),
		Keys: []release.PublicKey{m.key.Public()}, Port: port,
		HTTP: m.Client(), Log: logTo(m.t),
		Pause: 5 * time.Millisecond, MaxPause: 20 * time.Millisecond, Attempts: 3,
	}
}
