//go:build unix

package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gobuild/pkg/doctor"
)

// failing is a program that is to fail.
type failing struct {
	env    []string
	dir    string
	nobody bool // run as a user without rights
	name   string
	args   []string
}

// output runs the program to its end and returns all that it says.
func (f failing) output(t *testing.T) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, f.name), f.args...)
	for _, kv := range cleanEnv() {
		if !strings.HasPrefix(kv, "HOSTNAME=") && !strings.HasPrefix(kv, "GCE_METADATA_HOST=") && !strings.HasPrefix(kv, "LUCI_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, f.env...)
	cmd.Dir = f.dir
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	if f.nobody && os.Getuid() == 0 {
		if err := os.Chmod(bin, 0o711); err != nil {
			t.Fatal(err)
		}
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s %s does not end:\n%s", f.name, strings.Join(f.args, " "), out)
	}
	if err == nil {
		t.Fatalf("%s %s does not fail:\n%s", f.name, strings.Join(f.args, " "), out)
	}
	return out
}

// mustExplain fails the test unless exactly these causes are found in log.
func mustExplain(t *testing.T, log []byte, want ...string) []doctor.Explanation {
	t.Helper()
	found, err := doctor.Explain(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range found {
		got = append(got, e.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("explained by %q, want %q, in:\n%s", got, want, log)
	}
	return found
}

// identity is a bot's key and certificate, in files, in good and bad forms.
type identity struct {
	dir, key, cert string
}

// path returns the name of a file of the identity.
func (id identity) path(name string) string { return filepath.Join(id.dir, name) }

func newIdentity(t *testing.T) identity {
	t.Helper()
	id := identity{dir: t.TempDir()}
	id.key, id.cert = id.path("bot.key"), id.path("bot.cert")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := block("CERTIFICATE", selfSigned(t, key, "linux-amd64-x.bots.golang.org"))
	for name, data := range map[string][]byte{
		"bot.key":    pkcs1,
		"bot.cert":   cert,
		"pkcs8.key":  block("PRIVATE KEY", pkcs8),
		"tail.key":   append(slices.Clone(pkcs1), '\n'),
		"other.key":  block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other)),
		"chain.cert": append(slices.Clone(cert), cert...),
		"bot.csr":    block("CERTIFICATE REQUEST", []byte("anything")),
	} {
		if err := os.WriteFile(id.path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// selfSigned returns a certificate for names.
func selfSigned(t *testing.T, key *rsa.PrivateKey, names ...string) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// answer is a handler that gives the same answer to all.
func answer(status int, header http.Header, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// proxy is an HTTP proxy that answers CONNECT with status; with 200 it leads
// every connection to target.
func proxy(t *testing.T, status int, target string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				br := bufio.NewReader(conn)
				req, err := http.ReadRequest(br)
				if err != nil || req.Method != http.MethodConnect {
					return
				}
				fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n\r\n", status, http.StatusText(status))
				if status != 200 {
					return
				}
				to, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				defer to.Close()
				conns.Go(func() { io.Copy(conn, to); conn.Close() })
				io.Copy(to, br)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); conns.Wait() })
	return "http://" + ln.Addr().String()
}

// tlsServer starts a server for 127.0.0.1 and example.com that nobody trusts.
func tlsServer(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = quiet()
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// quiet drops what a server logs of clients that give up.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
