// Package bottest plays Swarming for tests: a server that gives out a bot, in
// every way in which that can go wrong, the bot, which does no work, and
// machine tokens that no server has signed.
package bottest

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/swarmbot"
)

//go:embed bot/__main__.py
var program string

//go:embed python3.sh
var shellPython []byte

// Zip returns the bot. Its modes are described in bot/__main__.py.
func Zip() []byte {
	return ZipOf("__main__.py", program, "config/config.json", `{"server": "https://swarming.example"}`)
}

// ZipOf returns a zip of names and contents, in turn.
func ZipOf(files ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err == nil {
			_, err = io.WriteString(f, files[i+1])
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Python returns the interpreter itself, not a version manager's script that
// looks for it each time. The test is skipped if there is none.
func Python(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skipf("no python3: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// ShellPython returns a shell script that stands in for Python and the bot.
func ShellPython(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "python3")
	if err := os.WriteFile(file, shellPython, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// Token returns a machine token for fqdn, with a signature that nobody made.
func Token(fqdn string) string {
	field := func(number int, data string) []byte {
		b := binary.AppendUvarint(nil, uint64(number)<<3|2)
		return append(binary.AppendUvarint(b, uint64(len(data))), data...)
	}
	number := func(number int, n uint64) []byte {
		return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number)<<3), n)
	}
	body := bytes.Join([][]byte{field(1, fqdn), field(2, "signer@example.com"), number(3, uint64(time.Now().Unix())), number(4, 3600)}, nil)
	return base64.RawStdEncoding.EncodeToString(append(field(1, string(body)), field(3, strings.Repeat("s", 64))...))
}

// TokenFile returns a file with a token for fqdn that is good for a while.
func TokenFile(t testing.TB, fqdn string, good time.Duration) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"luci_machine_token": Token(fqdn), "expiry": fmt.Sprint(time.Now().Add(good).Unix())})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Server gives out a bot as Swarming does (LUCI protocol, section 10.2).
type Server struct {
	// Host is HOST:PORT, CAFile what vouches for its certificate.
	Host, CAFile string
	// Digest is the content digest of the bot.
	Digest string

	mu    sync.Mutex
	fault http.HandlerFunc
	seen  []*http.Request
	zip   []byte
}

// Start starts a server that gives out bot; it ends with the test.
func Start(t testing.TB, bot []byte) *Server {
	t.Helper()
	digest, err := swarmbot.Digest(bot)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Digest: digest, zip: bot, CAFile: filepath.Join(t.TempDir(), "ca.pem")}
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	s.Host = web.Listener.Addr().String()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(s.CAFile, ca, 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// SetFault has every request answered by fault; nil ends that.
func (s *Server) SetFault(fault http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Seen returns the requests so far, and forgets them.
func (s *Server) Seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.Clone(r.Context()))
	fault := s.fault
	s.mu.Unlock()
	const path = "/swarming/api/v1/bot/bot_code/"
	switch {
	case fault != nil:
		fault(w, r)
	case r.URL.Path == "/bot_code" && r.Header.Get("X-Luci-Machine-Token") == "":
		http.Error(w, `the caller "anonymous:anonymous" doesn't have server-level permission "swarming.pools.createBot"`, http.StatusForbidden)
	case r.URL.Path == "/bot_code":
		w.Header().Set("Location", path+s.Digest)
		w.WriteHeader(http.StatusFound)
	case r.URL.Path == path+s.Digest:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(s.zip)
	default:
		http.NotFound(w, r)
	}
}
