package swarmbot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
	"gobuild/pkg/swarmbot"
	"gobuild/pkg/swarmbot/bottest"
)

const (
	host     = "linux-riscv64-gopher"
	fqdn     = host + ".bots.golang.org"
	patience = 60 * time.Second
	// promptly is more than what takes no wait may take on a loaded machine.
	promptly = patience / 2
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen serves until the test ends, and returns the address.
func listen(t *testing.T, server *http.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return l.Addr().String()
}

// options returns those of a bot that is started by the shell stand-in.
func options(t *testing.T, s *bottest.Server) swarmbot.Options {
	t.Helper()
	roots, err := netdial.Roots(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return swarmbot.Options{
		Hostname: host, Swarming: s.Host, Roots: roots, CAFile: s.CAFile,
		WorkDir: filepath.Join(t.TempDir(), ".swarming"), TokenFile: bottest.TokenFile(t, fqdn, time.Hour),
		Python: bottest.ShellPython(t), AllowRoot: true,
		DownloadWait: 5 * time.Second, StopWait: 10 * time.Second, Settle: 100 * time.Millisecond,
		Backoff: supervise.Backoff{Min: 20 * time.Millisecond, Max: 50 * time.Millisecond, Budget: 50, Rest: time.Minute},
		Output:  io.Discard,
		Proxy:   func(*http.Request) (*url.URL, error) { return nil, nil },
		Getenv:  func(string) string { return "" },
		Environ: append(os.Environ(), "BOT_MODE=exit0"),
		Log:     log,
	}
}

// once runs a bot once and returns the error.
func once(t *testing.T, o swarmbot.Options) error {
	t.Helper()
	bot, err := swarmbot.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer bot.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = bot.RunOnce(ctx)
	if ctx.Err() != nil {
		t.Fatal("the bot did not end")
	}
	return err
}

func TestDownload(t *testing.T) {
	s := bottest.Start(t, bottest.Zip())
	o := options(t, s)
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(o.WorkDir, "swarming_bot.zip"))
	if err != nil || !bytes.Equal(got, bottest.Zip()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	seen := s.Seen()
	if len(seen) != 2 {
		t.Fatalf("%d requests", len(seen))
	}
	for _, r := range seen {
		if r.Header.Get("X-Luci-Machine-Token") != bottest.Token(fqdn) && len(r.Header.Get("X-Luci-Machine-Token")) < 50 {
			t.Errorf("%s: no token", r.URL.Path)
		}
		if id := r.Header.Get("X-Luci-Swarming-Bot-ID"); id != host {
			t.Errorf("%s: bot ID %q", r.URL.Path, id)
		}
	}
	// What is there already is not downloaded again.
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	if seen := s.Seen(); len(seen) != 1 {
		t.Errorf("%d requests", len(seen))
	}
}

// The digest is of names and contents (section 10.2), not of the zip.
func TestDigest(t *testing.T) {
	got, err := swarmbot.Digest(bottest.ZipOf("b.txt", "hello", "__main__.py", "", "a", "0123456789"))
	sum := sha256.Sum256([]byte("11__main__.py0" + "1a100123456789" + "5b.txt5hello"))
	if want := hex.EncodeToString(sum[:]); got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestDownloadFaults(t *testing.T) {
	zip := bottest.Zip()
	flipped := bytes.Clone(zip)
	flipped[200] ^= 1
	elsewhere := bottest.Start(t, zip)
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Error(w, body, status) }
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}
	send := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Write(body) }
	}
	digestOf := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bot_code" {
				redirect("/swarming/api/v1/bot/bot_code/"+elsewhere.Digest)(w, r)
				return
			}
			w.Write(body)
		}
	}
	const caller = `the caller "bot:%" doesn't have server-level permission "swarming.pools.createBot"`
	for _, tt := range []struct {
		name       string
		fault      http.HandlerFunc
		text, hint string
		lasting    bool // a last good copy is not started either
	}{
		{"401", answer(401, "bad machine token"), "401 Unauthorized: bad machine token", "token daemon", true},
		{"403, unknown bot", answer(403, strings.Replace(caller, "%", fqdn, 1)), "403 Forbidden", "has not entered the bot yet", true},
		{"403, other name", answer(403, strings.Replace(caller, "%", "linux-arm-joe.bots.golang.org", 1)), "403 Forbidden", "the token is for linux-arm-joe.bots.golang.org, but this bot calls itself " + host, true},
		{"403, no token", answer(403, strings.Replace(caller, "bot:%", "anonymous:anonymous", 1)), "403 Forbidden", "saw no machine token", true},
		{"404", answer(404, "not found"), "404 Not Found", "the Swarming server?", false},
		{"500", answer(500, "oops"), "500 Internal Server Error: oops", "gobuild doctor", false},
		{"empty", send(nil), "it is empty", "proxy", false},
		{"not a zip", send([]byte("<html>Please sign in</html>")), `it begins with "<html>Please sign in`, "sign-in", false},
		{"no bot", send(bottest.ZipOf("README", "x")), "without __main__.py", "", false},
		{"cut short", digestOf(zip[:len(zip)/2]), "it is no zip", "", false},
		{"a byte is wrong", digestOf(flipped), "in the zip: ", "", false},
		{"other digest", digestOf(bottest.ZipOf("__main__.py", "pass")), "has the content digest", "cache or proxy", false},
		{"length too short", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.Write(zip[:100])
		}, "unexpected EOF, after 100 bytes", "", false},
		{"10 MiB of something", send(make([]byte, 10<<20)), "it is no zip", "proxy", false},
		{"without end", func(w http.ResponseWriter, r *http.Request) {
			for block := make([]byte, 1<<20); r.Context().Err() == nil; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "more than 67108864 bytes", "", false},
		{"http", redirect("http://" + elsewhere.Host + "/bot_code"), "which is not https", "", true},
		{"in a circle", redirect("/bot_code"), "10 redirects", "", false},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			w.Write(zip[:100])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "not done within 300ms", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := bottest.Start(t, zip)
			o := options(t, s)
			if tt.name == "slow" {
				o.DownloadWait = 300 * time.Millisecond
			} else {
				o.DownloadWait = patience
			}
			s.SetFault(tt.fault)
			err := once(t, o)
			if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(hint.Of(err), tt.hint) {
				t.Fatalf("error %v\nhint %s\nwant %q, %q", err, hint.Of(err), tt.text, tt.hint)
			}
			if strings.Contains(err.Error()+hint.Of(err), bottest.Token(fqdn)[:30]) {
				t.Error("the error shows the token")
			}
			if _, err := os.Stat(filepath.Join(o.WorkDir, "swarming_bot.zip")); err == nil {
				t.Error("it left a zip")
			}
			// With a last good copy.
			if err := os.WriteFile(filepath.Join(o.WorkDir, "swarming_bot.zip"), bottest.ZipOf("__main__.py", "old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := once(t, o); (err != nil) != tt.lasting {
				t.Errorf("with a last good copy: %v", err)
			}
		})
	}
}

// Another host gets the request, but not the token.
func TestRedirectToAnotherHost(t *testing.T) {
	zip := bottest.Zip()
	s, other := bottest.Start(t, zip), bottest.Start(t, zip)
	o := options(t, s)
	var err error
	if o.Roots, err = netdial.Roots(s.CAFile, other.CAFile); err != nil {
		t.Fatal(err)
	}
	s.SetFault(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://"+other.Host+"/swarming/api/v1/bot/bot_code/"+other.Digest)
		w.WriteHeader(http.StatusFound)
	})
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	seen := other.Seen()
	if len(seen) != 1 {
		t.Fatalf("%d requests", len(seen))
	}
	for name := range seen[0].Header {
		if strings.HasPrefix(name, "X-Luci") {
			t.Errorf("the other host was sent %s", name)
		}
	}
}

func TestServerNotThere(t *testing.T) {
	s := bottest.Start(t, bottest.Zip())
	o := options(t, s)
	o.Swarming = "127.0.0.1:1"
	if err := once(t, o); err == nil || !strings.Contains(err.Error(), "dial 127.0.0.1:1") {
		t.Errorf("error %v", err)
	}
	o.Swarming = "nosuch.invalid"
	if err := once(t, o); err == nil || !strings.Contains(err.Error(), "dial nosuch.invalid:443") && !strings.Contains(err.Error(), "not done within 5s") {
		t.Errorf("error %v", err)
	}
	o.Swarming, o.Roots = s.Host, nil
	if err := once(t, o); err == nil || !strings.Contains(hint.Of(err), "--ca-file") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

func TestGCE(t *testing.T) {
	s := bottest.Start(t, bottest.Zip())
	s.SetFault(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Luci-Gce-Vm-Token") != "vm-token" || r.Header.Get("X-Luci-Swarming-Bot-ID") != "vm-7" {
			http.Error(w, "who is it?", http.StatusForbidden)
			return
		}
		w.Write(bottest.Zip())
	})
	metadata := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Metadata-Flavor") != "Google":
			http.Error(w, "flavour", http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "/instance/hostname"):
			io.WriteString(w, "vm-7.c.project.internal")
		case r.URL.Query().Get("audience") == "https://"+s.Host && r.URL.Query().Get("format") == "full":
			io.WriteString(w, "vm-token\n")
		default:
			http.NotFound(w, r)
		}
	})}
	addr := listen(t, &metadata)
	o := options(t, s)
	o.Hostname, o.TokenFile = "", filepath.Join(t.TempDir(), "none")
	o.Getenv = func(name string) string { return map[string]string{"GCE_METADATA_HOST": addr}[name] }
	if err := once(t, o); err != nil {
		t.Fatal(err, hint.Of(err))
	}
}
