//go:build unix

package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"gobuild/pkg/botcert"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/machinetoken/mintserver"
	"gobuild/pkg/machinetoken/tokenpb"
)

const tokenAccount = "gobuild@rehearsal.iam.gserviceaccount.com"

// tokenSigner is the one of our token servers: making a key takes long.
var tokenSigner = sync.OnceValue(func() *mintserver.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	signer, err := mintserver.NewSigner(tokenAccount, key)
	if err != nil {
		panic(err)
	}
	return signer
})

// botPaper makes the key and the CSR that all bots of these tests have.
var botPaper = sync.OnceValues(func() (botcert.Created, error) {
	host, err := botcert.CheckHost(botHost, false)
	if err != nil {
		return botcert.Created{}, err
	}
	return botcert.Create(context.Background(), botcert.CreateOptions{Host: host, Dir: bin, Now: time.Now()})
})

// farm is a CA and a bot with a certificate of that CA, made as an owner and a
// farm's team make them.
type farm struct {
	ca        *botcert.CA
	issued    botcert.Issued
	key, cert string // files
}

func newFarm(t *testing.T) farm { return newFarmAt(t, time.Now()) }

// newFarmAt makes a farm whose certificate was issued at a time, for 12 hours.
func newFarmAt(t *testing.T, issued time.Time) farm {
	t.Helper()
	dir := t.TempDir()
	ca, err := botcert.InitCA(context.Background(), filepath.Join(dir, "ca"), botcert.CAOptions{Name: "Rehearsal CA", Lifetime: 24 * time.Hour, Now: issued})
	if err != nil {
		t.Fatal(err)
	}
	made, err := botPaper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(made.CSR)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	f := farm{ca: ca, key: made.Key, cert: filepath.Join(dir, "bot.cert")}
	f.issued, _, err = ca.Sign(csr, botHost, botcert.SignOptions{Lifetime: 12 * time.Hour, Now: issued, Out: f.cert})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// options returns those of a token server that knows the farm's CA.
func (f farm) options() mintserver.Options {
	return mintserver.Options{
		CAs: []mintserver.CA{{
			ID:          7,
			Certificate: f.ca.Certificate,
			CRL:         func() ([]byte, error) { return f.ca.CRL(time.Now(), time.Hour) },
			Domains:     []mintserver.Domain{{Names: []string{botcert.Domain}, Lifetime: time.Hour}},
		}},
		Signer: tokenSigner(),
	}
}

func tokenServer(t *testing.T, opts mintserver.Options) *mintserver.Server {
	t.Helper()
	s, err := mintserver.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The token daemons, by program and what goes before their flags.
var daemons = map[string][]string{
	"luci_machine_tokend": nil,
	"gobuild":             {"tokend", "--once"},
}

// tokendRun is what a run of a token daemon left behind.
type tokendRun struct {
	result
	token  string // the token file
	text   []byte // what is in it
	status struct {
		Outcome string `json:"update_outcome"`
		Reason  string `json:"update_reason"`
		Error   string `json:"failure_error"`
		Version string `json:"service_version"`
	}
}

// tokend runs a token daemon once. The token is kept in dir.
func tokend(t *testing.T, program, dir string, f farm, backend string, env []string, more ...string) tokendRun {
	t.Helper()
	r := tokendRun{token: filepath.Join(dir, "token.json")}
	status := filepath.Join(dir, "status.json")
	os.Remove(status)
	args := append(slices.Clone(daemons[program]), "-backend", backend, "-cert-pem", f.cert, "-pkey-pem", f.key,
		"-token-file", r.token, "-status-file", status)
	r.result = run(t, env, "", program, append(args, more...)...)
	text, err := os.ReadFile(status)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.stderr)
	}
	if err := json.Unmarshal(text, &r.status); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	r.text, _ = os.ReadFile(r.token)
	return r
}

// checkTokenFile reads the token file with our package, and returns the token
// in it.
func checkTokenFile(t *testing.T, path string) string {
	t.Helper()
	file, err := machinetoken.ReadTokenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body, err := machinetoken.ParseToken(file.Token)
	if err != nil {
		t.Fatal(err)
	}
	if body.FQDN != botcert.FQDN(botHost) || body.Lifetime != time.Hour || !file.Expiry.Equal(body.Issued.Add(time.Hour)) {
		t.Errorf("token %+v in %+v", body, file)
	}
	// The next one is due at half of the life.
	if half := file.NextUpdate.Sub(file.LastUpdate); len(file.Unknown) > 0 || half < 28*time.Minute || half > 30*time.Minute {
		t.Errorf("token file %+v, next update after %s", file, half)
	}
	return file.Token
}

// Both daemons mint from our server, over plain HTTP and over TLS, and each
// takes the file of the other as its own.
func TestTokendMints(t *testing.T) {
	f := newFarm(t)
	opts := f.options()
	plain := httptest.NewServer(tokenServer(t, opts))
	t.Cleanup(plain.Close)
	secure := tlsServer(t, tokenServer(t, opts))
	root := "SSL_CERT_FILE=" + writeFile(t, "root.pem", string(block("CERTIFICATE", secure.Certificate().Raw)), 0o644)
	verifier := mintserver.Verifier{Issuers: map[string]mintserver.Keys{tokenAccount: tokenSigner().Keys()}}
	for _, tt := range []struct {
		program, other, transport, backend string
		env                                []string
	}{
		{"luci_machine_tokend", "gobuild", "plain", local(plain), nil},
		{"gobuild", "luci_machine_tokend", "plain", local(plain), nil},
		// An address that neither program takes for leave to do without TLS.
		{"luci_machine_tokend", "gobuild", "TLS", secure.Listener.Addr().String(), []string{root}},
		{"gobuild", "luci_machine_tokend", "TLS", strings.Replace(secure.Listener.Addr().String(), "127.0.0.1", "[::ffff:127.0.0.1]", 1), []string{root}},
	} {
		t.Run(tt.program+"/"+tt.transport, func(t *testing.T) {
			dir := t.TempDir()
			got := tokend(t, tt.program, dir, f, tt.backend, tt.env)
			if got.code != 0 || got.status.Outcome != "UPDATE_SUCCESS" || got.status.Reason != "NEW_TOKEN" || got.status.Version != "gobuild/rehearsal" {
				t.Fatalf("code %d, status %+v\n%s", got.code, got.status, got.stderr)
			}
			bot, err := verifier.Verify(checkTokenFile(t, got.token))
			if err != nil || bot.Identity() != "bot:"+botcert.FQDN(botHost) || bot.CA != 7 || bot.Serial.Text(16) != strings.ToLower(f.issued.Serial) {
				t.Errorf("token for %+v, %v, want serial %s", bot, err, f.issued.Serial)
			}
			again := tokend(t, tt.other, dir, f, tt.backend, tt.env)
			if again.code != 0 || again.status.Outcome != "TOKEN_IS_GOOD" || string(again.text) != string(got.text) {
				t.Errorf("%s with that file: code %d, status %+v, changed %v\n%s", tt.other, again.code, again.status,
					string(again.text) != string(got.text), again.stderr)
			}
		})
	}
}

// What the daemons make of each error, in the words of their status files.
func TestTokendRefused(t *testing.T) {
	good := newFarm(t)
	expired := newFarmAt(t, time.Now().Add(-13*time.Hour))
	revoked := newFarm(t)
	if _, err := revoked.ca.Revoke(revoked.issued.Serial, time.Now()); err != nil {
		t.Fatal(err)
	}
	// clock sets the server's clock, and leaves the rest.
	clock := func(ahead time.Duration) func(*mintserver.Options) {
		return func(opts *mintserver.Options) {
			opts.Now = func() time.Time { return time.Now().Add(ahead) }
		}
	}
	code := func(code tokenpb.ErrorCode) func(*mintserver.Options) {
		return func(opts *mintserver.Options) {
			opts.Alter = func(resp *tokenpb.MintMachineTokenResponse) error {
				resp.ErrorCode, resp.ErrorMessage, resp.TokenResponse = code, "on purpose", nil
				return nil
			}
		}
	}
	rpc := func(code int) func(*mintserver.Options) {
		return func(opts *mintserver.Options) {
			opts.Alter = func(*tokenpb.MintMachineTokenResponse) error {
				return &mintserver.Error{Code: code, Text: "on purpose"}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		farm   farm
		change func(*mintserver.Options)
		want   string // outcome
		cause  string // told to who runs the server
	}{
		{"expired", expired, nil, "MINT_TOKEN_ERROR_UNTRUSTED_CERTIFICATE", "certificate has expired"},
		{"revoked", revoked, nil, "MINT_TOKEN_ERROR_UNTRUSTED_CERTIFICATE", "has been revoked"},
		{"unknown CA", good, func(opts *mintserver.Options) { opts.CAs = nil }, "MINT_TOKEN_ERROR_UNTRUSTED_CERTIFICATE", `no such CA "Rehearsal CA"`},
		{"other CA of that name", good, func(opts *mintserver.Options) { opts.CAs[0].Certificate = revoked.ca.Certificate },
			"MINT_TOKEN_ERROR_UNTRUSTED_CERTIFICATE", "verification error"},
		{"no CRL yet", good, func(opts *mintserver.Options) { opts.CAs[0].CRL = func() ([]byte, error) { return nil, nil } },
			"MINT_TOKEN_ERROR_UNTRUSTED_CERTIFICATE", "not ready yet"},
		{"other domain", good, func(opts *mintserver.Options) { opts.CAs[0].Domains[0].Names = []string{"example.org"} },
			"MINT_TOKEN_ERROR_BAD_TOKEN_ARGUMENTS", `the domain "bots.golang.org" is not listed in the config`},
		{"forbidden domain", good, func(opts *mintserver.Options) { opts.CAs[0].Domains[0].Lifetime = 0 },
			"MINT_TOKEN_ERROR_BAD_TOKEN_ARGUMENTS", "are not allowed"},
		{"clock 11 minutes behind", good, clock(11 * time.Minute), "MINT_TOKEN_ERROR_BAD_TIMESTAMP", "check your clock"},
		{"clock 11 minutes ahead", good, clock(-11 * time.Minute), "MINT_TOKEN_ERROR_BAD_TIMESTAMP", "check your clock"},
		{"clock 9 minutes behind", good, clock(9 * time.Minute), "UPDATE_SUCCESS", ""},

		{"signature not supported", good, code(1), "MINT_TOKEN_ERROR_UNSUPPORTED_SIGNATURE", ""},
		{"type not supported", good, code(2), "MINT_TOKEN_ERROR_UNSUPPORTED_TOKEN_TYPE", ""},
		{"bad certificate", good, code(4), "MINT_TOKEN_ERROR_BAD_CERTIFICATE_FORMAT", ""},
		{"bad signature", good, code(5), "MINT_TOKEN_ERROR_BAD_SIGNATURE", ""},
		{"no ink", good, code(8), "MINT_TOKEN_ERROR_MACHINE_TOKEN_MINTING_ERROR", ""},
		{"empty answer", good, code(0), "UNKNOWN_RPC_ERROR", ""},

		{"invalid", good, rpc(3), "GRPC_ERROR_3", "on purpose"},
		{"forbidden", good, rpc(7), "GRPC_ERROR_7", "on purpose"},
		{"quota", good, rpc(8), "GRPC_ERROR_8", "on purpose"},
		{"unimplemented", good, rpc(12), "GRPC_ERROR_12", "on purpose"},
		{"login", good, rpc(16), "GRPC_ERROR_16", "on purpose"},
		// Tried again until the time is over.
		{"internal", good, rpc(13), "GRPC_ERROR_4", "on purpose"},
		{"unavailable", good, rpc(14), "GRPC_ERROR_4", "on purpose"},
		{"signer out of order", good, func(opts *mintserver.Options) { opts.CAs[0].CRL = func() ([]byte, error) { return nil, os.ErrClosed } },
			"GRPC_ERROR_4", os.ErrClosed.Error()},
		{"too big", good, func(opts *mintserver.Options) {
			opts.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				r.Header.Set("X-Prpc-Max-Response-Size", "9")
				return false
			}
		}, "GRPC_ERROR_14", "exceeds the client limit"},
	} {
		for program := range daemons {
			t.Run(tt.name+"/"+program, func(t *testing.T) {
				if tt.name == "too big" && program == "luci_machine_tokend" {
					t.Skip("the pinned version does not know this error: it tries again")
				}
				t.Parallel()
				opts := tt.farm.options()
				if tt.change != nil {
					tt.change(&opts)
				}
				var mu sync.Mutex
				var told []mintserver.Outcome
				opts.Report = func(o mintserver.Outcome) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, o)
				}
				srv := httptest.NewServer(tokenServer(t, opts))
				defer srv.Close()
				got := tokend(t, program, t.TempDir(), tt.farm, local(srv), nil, "-timeout", "2s")
				mu.Lock()
				defer mu.Unlock()
				want, again := tt.want, tt.want == "GRPC_ERROR_4"
				if again && program == "gobuild" && len(told) > 0 {
					want = fmt.Sprint("GRPC_ERROR_", told[0].GRPC) // what it was all the time
				}
				if got.status.Outcome != want || (got.code == 0) != (tt.want == "UPDATE_SUCCESS") {
					t.Errorf("code %d, status %+v, want %s\n%s", got.code, got.status, want, got.stderr)
				}
				if (got.text != nil) != (tt.want == "UPDATE_SUCCESS") {
					t.Errorf("token file %q", got.text)
				}
				if len(told) == 0 || !strings.Contains(told[0].Cause, tt.cause) {
					t.Errorf("the server reports %+v, want the cause %q", told, tt.cause)
				}
				if (len(told) > 1) != again {
					t.Errorf("%d calls, want several: %v", len(told), again)
				}
			})
		}
	}
}

// Our daemon's request is the real one's, field by field: those of HTTP and
// those of the message.
func TestTokendRequest(t *testing.T) {
	f := newFarm(t)
	headers := map[string]http.Header{}
	asked := map[string]*tokenpb.MachineTokenRequest{}
	var program string
	opts := f.options()
	opts.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
		h := r.Header.Clone()
		h.Set(":method", r.Method)
		h.Set(":path", r.URL.String())
		h.Set(":proto", r.Proto)
		h.Set(":encoding", strings.Join(r.TransferEncoding, ","))
		h.Set(":length", strconv.FormatBool(r.ContentLength > 0))
		headers[program] = h
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var outer tokenpb.MintMachineTokenRequest
		inner := new(tokenpb.MachineTokenRequest)
		if err := errors.Join(proto.Unmarshal(body, &outer), proto.Unmarshal(outer.GetSerializedTokenRequest(), inner)); err != nil {
			t.Errorf("%s: %v", program, err)
		}
		if ago := time.Since(inner.GetIssuedAt().AsTime()); ago < 0 || ago > time.Minute {
			t.Errorf("%s: issued %v ago", program, ago)
		}
		asked[program] = inner
		return false
	}
	srv := httptest.NewServer(tokenServer(t, opts))
	defer srv.Close()
	for program = range daemons {
		tokend(t, program, t.TempDir(), f, local(srv), nil)
	}
	const us, them = "gobuild", "luci_machine_tokend"
	for name, mayDiffer := range map[string]func(ours, real string) bool{
		"User-Agent":               func(ours, real string) bool { return ours != "" && real == "pRPC Client 1.4" },
		"X-Prpc-Grpc-Timeout":      func(ours, real string) bool { return strings.HasSuffix(ours, "u") && len(ours) == len(real) },
		"X-Prpc-Max-Response-Size": func(ours, real string) bool { return real == "" }, // new in 1.5
		// It hangs on the time of issue: the fewer nanoseconds, the fewer bytes.
		"Content-Length": func(ours, real string) bool { return ours != "" && real != "" },
	} {
		if ours, real := headers[us].Get(name), headers[them].Get(name); !mayDiffer(ours, real) {
			t.Errorf("%s: ours %q, the real one's %q", name, ours, real)
		}
		headers[us].Del(name)
		headers[them].Del(name)
	}
	if diff := cmp.Diff(headers[them], headers[us]); diff != "" {
		t.Errorf("headers, real and ours:\n%s", diff)
	}
	for _, m := range asked {
		m.IssuedAt = nil
	}
	if diff := cmp.Diff(asked[them], asked[us], protocmp.Transform()); diff != "" {
		t.Errorf("messages, real and ours:\n%s", diff)
	}
}
