//go:build unix

package interop

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gobuild/pkg/doctor"
	"gobuild/pkg/netdial/dialtest"
)

// writeFile writes a file into a new directory and returns its name.
func writeFile(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExplainBootstrapswarm(t *testing.T) {
	var nomain bytes.Buffer
	z := zip.NewWriter(&nomain)
	z.Create("nothing.py")
	z.Close()
	var (
		token  = writeFile(t, "token.json", `{"luci_machine_token": "secret-machine-token"}`, 0o644)
		denied = func(text string) http.Handler {
			return answer(403, nil, "rpc error: code = PermissionDenied desc = "+text)
		}
		wrongBot = `the caller "bot:linux-amd64-x.bots.golang.org" doesn't have server-level permission "swarming.pools.createBot"` + "\n"
		path     = "PATH=/usr/local/bin:/usr/bin:/bin"
	)
	for _, tt := range []struct {
		name   string
		server http.Handler
		env    []string
		python string // a script in the place of python3
		nobody bool
		args   []string
		want   []string
	}{
		{name: "no host name", args: []string{"-swarming", "x"}, want: []string{"bootstrap-no-hostname"}},
		{name: "no token", env: []string{"LUCI_MACHINE_TOKEN=/nonexistent/token.json"}, want: []string{"bootstrap-no-token-file"}},
		{name: "unreadable token", nobody: true, env: []string{"LUCI_MACHINE_TOKEN=" + writeFile(t, "token.json", "", 0)}, want: []string{"bootstrap-token-unreadable"}},
		{name: "no JSON", env: []string{"LUCI_MACHINE_TOKEN=" + writeFile(t, "token.json", "x", 0o644)}, want: []string{"bootstrap-token-bad"}},
		{name: "no token in it", env: []string{"LUCI_MACHINE_TOKEN=" + writeFile(t, "token.json", "{}", 0o644)}, want: []string{"bootstrap-token-bad"}},
		{name: "nobody there", args: []string{"-hostname", "x", "-swarming", dialtest.FreeAddr(t)}, want: []string{"connection-refused"}},
		{name: "untrusted", server: answer(200, nil, ""), env: []string{"SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent"}, want: []string{"tls-authority"}},
		{name: "bad token", server: answer(401, nil, "bad machine token\n"), want: []string{"bootstrap-bad-token"}},
		{name: "other bot", server: denied(wrongBot), want: []string{"bootstrap-wrong-bot"}},
		{name: "no token came", server: denied(strings.Replace(wrongBot, "bot:linux-amd64-x.bots.golang.org", "anonymous:anonymous", 1)), want: []string{"bootstrap-no-token-sent"}},
		{name: "firewall", server: answer(403, nil, "<html>Forbidden"), want: []string{"bootstrap-forbidden"}},
		{name: "not found", server: answer(404, nil, "nothing here"), want: []string{"bootstrap-status"}},
		{name: "no home", server: answer(200, nil, ""), env: []string{"HOME=/nonexistent/home"}, want: []string{"bootstrap-cannot-save"}},
		{name: "no python", server: answer(200, nil, ""), env: []string{"PATH=/nonexistent"}, want: []string{"bootstrap-no-python"}},
		{name: "page as zip", server: answer(200, nil, "<html>\nSign in\n"), env: []string{path}, want: []string{"bot-zip-damaged"}},
		{name: "zip without a bot", server: answer(200, nil, nomain.String()), env: []string{path}, want: []string{"bot-zip-damaged"}},
		{name: "half a zip", server: answer(200, nil, "PK\x03\x04\xfe\xff\x00\x00"), env: []string{path}, want: []string{"bot-zip-damaged"}},
		{name: "python fails", server: answer(200, nil, ""), python: "exit 3", want: []string{"bootstrap-bot-failed"}},
		{name: "python is killed", server: answer(200, nil, ""), python: "kill -9 $$", want: []string{"bootstrap-bot-killed"}},
		{name: "python too new", server: answer(200, nil, ""), python: `echo "AttributeError: module 'pkgutil' has no attribute 'get_loader'" >&2; exit 1`, want: []string{"bot-python-too-new"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := []string{"LUCI_MACHINE_TOKEN=" + token, "HOME=" + t.TempDir()}
			args := []string{"-hostname", "linux-amd64-x"}
			if tt.args != nil {
				args = tt.args
			}
			if tt.server != nil {
				srv := tlsServer(t, tt.server)
				args = append(args, "-swarming", srv.Listener.Addr().String())
				env = append(env, "SSL_CERT_FILE="+writeFile(t, "ca.pem", string(block("CERTIFICATE", srv.Certificate().Raw)), 0o644))
			}
			if tt.python != "" {
				env = append(env, "PATH="+filepath.Dir(writeFile(t, "python3", "#!/bin/sh\n"+tt.python+"\n", 0o755)))
			}
			log := failing{env: append(env, tt.env...), nobody: tt.nobody, name: "bootstrapswarm", args: args}.output(t)
			for _, e := range mustExplain(t, log, tt.want...) {
				if strings.Contains(fmt.Sprint(e), "secret-machine-token") {
					t.Errorf("the token is in %+v", e)
				}
			}
		})
	}
}

func TestExplainBuildletStart(t *testing.T) {
	refused, taken := dialtest.FreeAddr(t), func() string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return ln.Addr().String()
	}()
	plain := httptest.NewServer(answer(200, nil, ""))
	t.Cleanup(plain.Close)
	hangup, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangup.Close() })
	go func() {
		for {
			conn, err := hangup.Accept()
			if err != nil {
				return
			}
			io.ReadFull(conn, make([]byte, 5))
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	// A server for a name that makes the buildlet verify (build protocol,
	// section 2.1), behind a proxy that knows the way.
	const host = "farmer.golang.org.invalid"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	farmer := httptest.NewUnstartedServer(answer(200, nil, ""))
	farmer.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{selfSigned(t, key, host)}, PrivateKey: key}}}
	farmer.Config.ErrorLog = quiet()
	farmer.StartTLS()
	t.Cleanup(farmer.Close)
	toFarmer := "HTTPS_PROXY=" + proxy(t, 200, farmer.Listener.Addr().String())
	toOther := "HTTPS_PROXY=" + proxy(t, 200, tlsServer(t, answer(200, nil, "")).Listener.Addr().String())
	withKey := "GO_BUILD_KEY_PATH=" + writeFile(t, "key", "0123456789abcdef0123456789abcdef\n", 0o600)

	for _, tt := range []struct {
		name   string
		env    []string
		nobody bool
		args   []string
		want   []string
	}{
		{"no key", []string{"HOME=/nonexistent"}, false, []string{"-coordinator", host + ":443"}, []string{"buildlet-no-key"}},
		{"unreadable key", []string{"GO_BUILD_KEY_PATH=" + writeFile(t, "key", "", 0)}, true, []string{"-coordinator", host + ":443"}, []string{"buildlet-key-unreadable"}},
		{"refused", nil, false, []string{"-coordinator", refused}, []string{"connection-refused"}},
		{"unknown host", nil, false, []string{"-coordinator", "nosuch.invalid:443"}, []string{"dns"}},
		{"no port", nil, false, []string{"-coordinator", "example"}, []string{"buildlet-no-port"}},
		{"plain port", nil, false, []string{"-coordinator", plain.Listener.Addr().String()}, []string{"buildlet-plain-port"}},
		{"hung up", nil, false, []string{"-coordinator", hangup.Addr().String()}, []string{"buildlet-handshake-closed"}},
		{"proxy login", []string{"HTTPS_PROXY=" + proxy(t, 407, "")}, false, []string{"-coordinator", "nosuch.invalid:443"}, []string{"proxy-login"}},
		{"proxy forbids", []string{"HTTPS_PROXY=" + proxy(t, 403, "")}, false, []string{"-coordinator", "nosuch.invalid:443"}, []string{"proxy-refuses"}},
		{"proxy down", []string{"HTTPS_PROXY=http://" + refused}, false, []string{"-coordinator", "nosuch.invalid:443"}, []string{"proxy-unreachable"}},
		{"untrusted", []string{toFarmer, withKey}, false, []string{"-coordinator", host + ":443"}, []string{"tls-authority"}},
		{"other name", []string{toOther, withKey}, false, []string{"-coordinator", host + ":443"}, []string{"tls-name"}},
		{"port in name", []string{toFarmer, withKey}, false, []string{"-coordinator", host + ":8119"}, []string{"buildlet-port-in-name"}},
		{"no work directory", nil, false, []string{"-coordinator", refused, "-workdir", "/nonexistent/work"}, []string{"buildlet-work-dir"}},
		{"file as work directory", nil, false, []string{"-coordinator", refused, "-workdir", writeFile(t, "work", "", 0o644)}, []string{"buildlet-work-dir"}},
		{"health port", nil, false, []string{"-coordinator", hangup.Addr().String(), "-health-addr", taken}, []string{"buildlet-health-port", "buildlet-handshake-closed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"-halt=false", "-health-addr=127.0.0.1:0", "-reverse-type=host-x", "-workdir=" + t.TempDir()}, tt.args...)
			if tt.nobody {
				work, err := os.MkdirTemp("", "gobuild-interop-")
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(work)
				os.Chmod(work, 0o777)
				args = append(args, "-workdir="+work)
			}
			mustExplain(t, failing{env: tt.env, nobody: tt.nobody, name: "buildlet", args: args}.output(t), tt.want...)
		})
	}
	t.Run("address taken", func(t *testing.T) {
		args := []string{"-halt=false", "-workdir=" + t.TempDir(), "-listen=" + taken}
		mustExplain(t, failing{name: "buildlet", args: args}.output(t), "buildlet-open", "buildlet-listen")
	})
	t.Run("no task", func(t *testing.T) {
		srv := tlsServer(t, answer(200, nil, ""))
		args := []string{"-halt=false", "-health-addr=127.0.0.1:0", "-workdir=" + t.TempDir(), "-swarming-bot", "-gomote-server-addr=" + srv.Listener.Addr().String()}
		mustExplain(t, failing{name: "buildlet", args: args}.output(t), "buildlet-no-swarming-token")
	})
}

func TestExplainBuildletRegistration(t *testing.T) {
	redirect := http.Header{"Location": {"/reverse"}}
	for _, tt := range []struct {
		name   string
		server http.Handler
		want   string
	}{
		{"wrong key", answer(412, nil, "invalid build key\n"), "buildlet-key-refused"},
		{"too old", answer(400, nil, "buildlet binary is too old\n"), "buildlet-too-old"},
		{"other revdial", answer(400, nil, "unknown revdial version\n"), "buildlet-too-old"},
		{"TLS taken off", answer(500, nil, "buildlet registration requires SSL\n"), "buildlet-not-tls"},
		{"no host name", answer(400, nil, "missing X-Go-Builder-Hostname header\n"), "buildlet-missing-header"},
		{"circle", answer(307, redirect, ""), "buildlet-redirects"},
		{"unauthorized", answer(401, nil, "who are you\n"), "buildlet-not-coordinator"},
		{"forbidden", answer(403, nil, "no\n"), "buildlet-not-coordinator"},
		{"not found", http.NotFoundHandler(), "buildlet-not-coordinator"},
		{"web server", answer(200, nil, "<html>"), "buildlet-not-coordinator"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := tlsServer(t, tt.server)
			args := []string{"-halt=false", "-health-addr=127.0.0.1:0", "-reverse-type=host-x", "-workdir=" + t.TempDir(), "-coordinator=" + srv.Listener.Addr().String()}
			mustExplain(t, failing{name: "buildlet", args: args}.output(t), tt.want)
		})
	}
	for _, text := range []string{"not expecting buildlet client\n", "invalid authentication Token\n"} {
		srv := tlsServer(t, answer(412, nil, text))
		args := []string{"-halt=false", "-health-addr=127.0.0.1:0", "-workdir=" + t.TempDir(), "-swarming-bot", "-gomote-server-addr=" + srv.Listener.Addr().String()}
		mustExplain(t, failing{env: []string{"GOMOTEID=x", "GO_BUILDLET_TOKEN=y"}, name: "buildlet", args: args}.output(t), "buildlet-gomote-refused")
	}
	t.Run("pick-up", func(t *testing.T) {
		srv := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/reverse" {
				http.Error(w, "unknown dialer", http.StatusBadRequest)
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			io.WriteString(conn, `{"command":"conn-ready","connPath":"/revdial?revdial.dialer=x"}`+"\n")
			io.Copy(io.Discard, conn)
		}))
		p := start(t, nil, "buildlet", "-halt=false", "-health-addr=127.0.0.1:0", "-reverse-type=host-x", "-workdir="+t.TempDir(), "-coordinator="+srv.Listener.Addr().String())
		p.await("failed to pick up")
		p.stop()
		mustExplain(t, []byte(p.text()), "buildlet-pickup")
	})
}

// Our own worker's words for the same.
func TestExplainOurBuildlet(t *testing.T) {
	for _, tt := range []struct {
		status     int
		text, want string
	}{
		{412, "invalid build key\n", "buildlet-key-refused"},
		{404, "404 page not found\n", "buildlet-not-coordinator"},
	} {
		srv := tlsServer(t, answer(tt.status, nil, tt.text))
		ca := writeFile(t, "ca.pem", string(block("CERTIFICATE", srv.Certificate().Raw)), 0o644)
		key := writeFile(t, "key", "0123456789abcdef0123456789abcdef\n", 0o600)
		p := start(t, nil, "gobuild", "buildlet", "--halt=false", "--reverse-type=host-x", "--workdir="+t.TempDir(), "--key-file="+key, "--ca-file="+ca, "--coordinator="+srv.Listener.Addr().String())
		waitFor(t, "it is refused", func() bool {
			found, err := doctor.Explain(strings.NewReader(p.text()))
			return err == nil && len(found) > 0
		})
		p.stop()
		mustExplain(t, []byte(p.text()), tt.want)
	}
}

func TestExplainStage0(t *testing.T) {
	if runtime.GOOS == "linux" && strings.HasPrefix(runtime.GOARCH, "arm") {
		log := failing{name: "stage0", args: []string{"-network-wait", "1s"}}.output(t)
		mustExplain(t, log, "stage0-unknown-env")
		return
	}
	mustExplain(t, failing{env: []string{"HTTP_PROXY=http://" + dialtest.FreeAddr(t)}, name: "stage0", args: []string{"-network-wait", "1ms"}}.output(t), "stage0-no-network")

	// The server is the proxy, too, that answers for the network.
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/netcheck":
		case "/none":
			http.NotFound(w, r)
		case "/broken":
			http.Error(w, "sorry", http.StatusInternalServerError)
		case "/dateless":
			io.WriteString(w, "x")
		default:
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			io.WriteString(w, map[string]string{
				"/garbage": "garbage",
				"/fails":   "#!/bin/sh\nexit 3\n",
				"/nokey":   "#!/bin/sh\necho 'failed to find key for host-x: cannot read key file \"/k\": open /k: no such file or directory'\nexit 1\n",
			}[r.URL.Path])
		}
	}))
	t.Cleanup(srv.Close)
	for path, want := range map[string]string{
		"/none":     "stage0-no-buildlet",
		"/broken":   "stage0-download",
		"/dateless": "stage0-no-date",
		"/garbage":  "stage0-wrong-port",
		"/fails":    "stage0-buildlet-failed",
		"/nokey":    "buildlet-no-key",
	} {
		t.Run(path, func(t *testing.T) {
			env := []string{"HTTP_PROXY=" + srv.URL, "META_BUILDLET_BINARY_URL=" + srv.URL + path}
			mustExplain(t, failing{env: env, name: "stage0"}.output(t), want)
		})
	}
	env := []string{"HTTP_PROXY=" + srv.URL, "META_BUILDLET_BINARY_URL=http://" + dialtest.FreeAddr(t) + "/x"}
	mustExplain(t, failing{env: env, name: "stage0"}.output(t), "connection-refused")
}
