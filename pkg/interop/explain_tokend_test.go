//go:build unix

package interop

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"gobuild/pkg/netdial/dialtest"
)

// minted is a handler that answers as the token server does (LUCI protocol,
// section 2), with an error code and text, or with a token of that lifetime.
func minted(code int, text string, life time.Duration) http.Handler {
	var body []byte
	if code != 0 {
		body = protowire.AppendVarint(protowire.AppendTag(body, 1, protowire.VarintType), uint64(code))
		body = protowire.AppendString(protowire.AppendTag(body, 2, protowire.BytesType), text)
	}
	if life != 0 {
		stamp := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(time.Now().Add(life).Unix()))
		token := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "a token")
		token = protowire.AppendBytes(protowire.AppendTag(token, 2, protowire.BytesType), stamp)
		resp := protowire.AppendBytes(protowire.AppendTag(nil, 21, protowire.BytesType), token)
		body = protowire.AppendBytes(protowire.AppendTag(body, 3, protowire.BytesType), resp)
	}
	return answer(200, http.Header{"X-Prpc-Grpc-Code": {"0"}, "Content-Type": {"application/prpc; encoding=binary"}}, string(body))
}

func grpcError(status int, code, text string) http.Handler {
	return answer(status, http.Header{"X-Prpc-Grpc-Code": {code}, "Content-Type": {"text/plain"}}, text)
}

// local returns the address of a server under the name localhost, with which
// the token daemon speaks plain HTTP.
func local(srv *httptest.Server) string {
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	return "localhost:" + port
}

func TestExplainTokendFiles(t *testing.T) {
	id := newIdentity(t)
	const nowhere = "localhost:1"
	for _, tt := range []struct {
		name, key, cert string
		nobody          bool
		want            string
	}{
		{"no key", "none", "bot.cert", false, "tokend-file-missing"},
		{"no certificate", "bot.key", "none", false, "tokend-file-missing"},
		{"unreadable", "bot.key", "bot.cert", true, "tokend-file-unreadable"},
		{"PKCS8", "pkcs8.key", "bot.cert", false, "tokend-key-type"},
		{"certificate as key", "bot.cert", "bot.cert", false, "tokend-key-type"},
		{"key with a tail", "tail.key", "bot.cert", false, "tokend-key-pem"},
		{"chain", "bot.key", "chain.cert", false, "tokend-cert-pem"},
		{"request as certificate", "bot.key", "bot.csr", false, "tokend-cert-type"},
		{"other key", "other.key", "bot.cert", false, "tokend-mismatch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.nobody && os.Getuid() != 0 {
				os.Chmod(id.path(tt.key), 0)
				defer os.Chmod(id.path(tt.key), 0o600)
			}
			status := filepath.Join(t.TempDir(), "status.json")
			log := failing{nobody: tt.nobody, name: "luci_machine_tokend", args: []string{"-backend", nowhere, "-token-file", "token.json",
				"-status-file", status, "-cert-pem", id.path(tt.cert), "-pkey-pem", id.path(tt.key)}}.output(t)
			want := []string{tt.want}
			if tt.nobody && os.Getuid() == 0 {
				want = append(want, "tokend-status-unsaved")
			}
			mustExplain(t, log, want...)
			if data, err := os.ReadFile(status); err == nil {
				mustExplain(t, data, tt.want)
			} else if !tt.nobody {
				t.Error(err)
			}
		})
	}
	mustExplain(t, failing{name: "luci_machine_tokend", args: []string{"-backend", nowhere, "-cert-pem", "c", "-pkey-pem", "k"}}.output(t), "tokend-usage")
}

func TestExplainTokendAnswers(t *testing.T) {
	id := newIdentity(t)
	const page = "<html>Sign in</html>"
	for _, tt := range []struct {
		name    string
		handler http.Handler
		want    string
	}{
		{"UNSUPPORTED_SIGNATURE", minted(1, "no", 0), "tokend-unsupported"},
		{"BAD_TIMESTAMP", minted(3, "the request is not valid yet or expired", 0), "tokend-clock"},
		{"BAD_CERTIFICATE_FORMAT", minted(4, "bad", 0), "tokend-certificate-format"},
		{"BAD_SIGNATURE", minted(5, "bad signature", 0), "tokend-signature"},
		{"UNTRUSTED_CERTIFICATE", minted(6, "invalid or untrusted certificate", 0), "tokend-untrusted"},
		{"BAD_TOKEN_ARGUMENTS", minted(7, `the domain "example.org" is not listed in the config`, 0), "tokend-domain"},
		{"MACHINE_TOKEN_MINTING_ERROR", minted(8, "signing", 0), "tokend-minting"},
		{"unknown code", minted(77, "", 0), "tokend-other-answer"},
		{"no token", minted(0, "", 0), "tokend-empty-answer"},
		{"page", answer(200, nil, page), "tokend-not-a-token-server"},
		{"not found", answer(404, nil, page), "tokend-not-a-token-server"},
		{"forbidden by a page", answer(403, nil, page), "tokend-not-a-token-server"},
		{"half a token server", answer(200, http.Header{"X-Prpc-Grpc-Code": {"0"}, "Content-Type": {"text/html"}}, page), "tokend-not-a-token-server"},
		{"forbidden", grpcError(403, "7", "no"), "tokend-forbidden"},
		{"login", grpcError(401, "16", "no"), "tokend-unauthenticated"},
		{"quota", grpcError(429, "8", "slow down"), "tokend-quota"},
		{"unknown service", grpcError(501, "12", "no such service"), "tokend-bad-request"},
		{"unavailable", grpcError(503, "14", "later"), "tokend-unavailable"},
		{"unavailable page", answer(503, nil, page), "tokend-unavailable"},
		{"silence", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}), "tokend-timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			status := filepath.Join(t.TempDir(), "status.json")
			log := failing{name: "luci_machine_tokend", args: []string{"-backend", local(srv), "-token-file", "token.json", "-timeout", "1s",
				"-status-file", status, "-cert-pem", id.cert, "-pkey-pem", id.key}}.output(t)
			mustExplain(t, log, tt.want)

			data, err := os.ReadFile(status)
			if err != nil {
				t.Fatal(err)
			}
			mustExplain(t, data, tt.want)
			// The outcome alone, as where log_dump was cut away.
			var fields map[string]any
			if err := json.Unmarshal(data, &fields); err != nil {
				t.Fatal(err)
			}
			fields["log_dump"] = ""
			data, _ = json.MarshalIndent(fields, "", "  ")
			if tt.want == "tokend-unavailable" || tt.want == "tokend-not-a-token-server" && !strings.Contains(fields["failure_error"].(string), "content type") {
				mustExplain(t, data, "tokend-timeout") // all that is left of it
			} else {
				mustExplain(t, data, tt.want)
			}
		})
	}
}

func TestExplainTokendToken(t *testing.T) {
	id := newIdentity(t)
	good := httptest.NewServer(minted(0, "", time.Hour))
	defer good.Close()
	short := httptest.NewServer(minted(0, "", time.Minute))
	defer short.Close()
	tokend := func(backend, token, status string) failing {
		return failing{name: "luci_machine_tokend", args: []string{"-backend", backend, "-token-file", token, "-timeout", "1s",
			"-status-file", status, "-cert-pem", id.cert, "-pkey-pem", id.key}}
	}
	dir := t.TempDir()
	inDir := func(name string) string { return filepath.Join(dir, name) }

	t.Run("no directory", func(t *testing.T) {
		log := tokend(local(good), inDir("none/token.json"), inDir("none/status.json")).output(t)
		got := mustExplain(t, log, "tokend-save-missing-dir", "tokend-status-unsaved")
		if want := inDir("none/token.json") + " does not exist"; !strings.Contains(got[0].Cause, want) {
			t.Errorf("cause %q does not say %q", got[0].Cause, want)
		}
	})
	t.Run("directory in the way", func(t *testing.T) {
		if err := os.Mkdir(inDir("token.dir"), 0o755); err != nil {
			t.Fatal(err)
		}
		mustExplain(t, tokend(local(good), inDir("token.dir"), inDir("status.json")).output(t), "tokend-save-failed")
	})
	t.Run("no rights", func(t *testing.T) {
		if os.Getuid() == 0 {
			// Files that nobody may read, in a directory that nobody may write.
			shared, err := os.MkdirTemp("", "gobuild-interop-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(shared)
			os.Chmod(shared, 0o755)
			for _, file := range []string{id.cert, id.key} {
				data, _ := os.ReadFile(file)
				if err := os.WriteFile(filepath.Join(shared, filepath.Base(file)), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			id := identity{shared, filepath.Join(shared, "bot.key"), filepath.Join(shared, "bot.cert")}
			mustExplain(t, failing{nobody: true, name: "luci_machine_tokend", args: []string{"-backend", local(good), "-token-file", filepath.Join(shared, "token.json"),
				"-cert-pem", id.cert, "-pkey-pem", id.key}}.output(t), "tokend-save-denied")
			return
		}
		if err := os.Mkdir(inDir("locked"), 0o500); err != nil {
			t.Fatal(err)
		}
		mustExplain(t, tokend(local(good), inDir("locked/token.json"), inDir("status.json")).output(t), "tokend-save-denied")
	})
	t.Run("odd token file and short life", func(t *testing.T) {
		if err := os.WriteFile(inDir("odd.json"), []byte(`{"mine": 1}`), 0o644); err != nil {
			t.Fatal(err)
		}
		f := tokend(local(short), inDir("odd.json"), inDir("status.json"))
		out := run(t, nil, "", f.name, f.args...)
		if out.code != 0 {
			t.Fatalf("exit code %d: %s", out.code, out.stderr)
		}
		mustExplain(t, []byte(out.stderr), "tokend-token-file-odd", "tokend-short-life")
	})
	t.Run("expired meanwhile", func(t *testing.T) {
		token := fmt.Sprintf(`{"luci_machine_token": "x", "expiry": "%d", "next_update": "1", "tokend_state": "e30="}`, time.Now().Add(-90*time.Minute).Unix())
		if err := os.WriteFile(inDir("old.json"), []byte(token), 0o644); err != nil {
			t.Fatal(err)
		}
		status := inDir("old-status.json")
		tokend("localhost:1", inDir("old.json"), status).output(t)
		data, err := os.ReadFile(status)
		if err != nil {
			t.Fatal(err)
		}
		got := mustExplain(t, data, "connection-refused", "tokend-token-expired")
		if len(got) == 2 && !strings.Contains(got[1].Cause, "1h30m") {
			t.Errorf("cause is %q", got[1].Cause)
		}
	})
	t.Run("healthy", func(t *testing.T) {
		f := tokend(local(good), inDir("token.json"), inDir("good-status.json"))
		out := run(t, nil, "", f.name, f.args...)
		if out.code != 0 {
			t.Fatalf("exit code %d: %s", out.code, out.stderr)
		}
		mustExplain(t, []byte(out.stdout+out.stderr))
		data, err := os.ReadFile(inDir("good-status.json"))
		if err != nil {
			t.Fatal(err)
		}
		mustExplain(t, data)
	})
}

func TestExplainNetwork(t *testing.T) {
	id := newIdentity(t)
	plain := httptest.NewServer(answer(200, nil, "hello"))
	t.Cleanup(plain.Close)
	secure := tlsServer(t, answer(200, nil, "hello"))
	expired := httptest.NewUnstartedServer(answer(200, nil, "hello"))
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{expiredCert(t)}}
	expired.Config.ErrorLog = quiet()
	expired.StartTLS()
	t.Cleanup(expired.Close)
	for _, tt := range []struct {
		name, backend string
		env           []string
		want          string
	}{
		{"refused", dialtest.FreeAddr(t), nil, "connection-refused"},
		{"unknown host", "nosuch.invalid", nil, "dns"},
		{"unknown authority", secure.Listener.Addr().String(), nil, "tls-authority"},
		{"expired", expired.Listener.Addr().String(), nil, "tls-expired"},
		{"plain", plain.Listener.Addr().String(), nil, "tls-plain"},
		{"proxy down", "nosuch.invalid", []string{"HTTPS_PROXY=http://" + dialtest.FreeAddr(t)}, "proxy-unreachable"},
		{"proxy login", "nosuch.invalid", []string{"HTTPS_PROXY=" + proxy(t, 407, "")}, "proxy-login"},
		{"proxy forbids", "nosuch.invalid", []string{"HTTPS_PROXY=" + proxy(t, 403, "")}, "proxy-refuses"},
		{"other name", "nosuch.invalid", []string{"HTTPS_PROXY=" + proxy(t, 200, secure.Listener.Addr().String())}, "tls-name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := failing{env: tt.env, name: "luci_machine_tokend", args: []string{"-backend", tt.backend, "-token-file", "token.json", "-timeout", "1s",
				"-cert-pem", id.cert, "-pkey-pem", id.key}}.output(t)
			mustExplain(t, log, tt.want)
		})
	}
}

func expiredCert(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(8), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
