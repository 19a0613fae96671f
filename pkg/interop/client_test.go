package interop

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	upstream "golang.org/x/build/buildlet"
	"golang.org/x/build/revdial/v2"

	"gobuild/pkg/builderkey"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/netdial/dialtest"
)

// Upstream's client drives our buildlet over plain HTTP.
func TestUpstreamClientDirect(t *testing.T) {
	addr, work := dialtest.FreeAddr(t), t.TempDir()
	p := start(t, nil, "gobuild", "buildlet", "-listen="+addr, "-workdir="+work)
	p.await("listening")
	c := upstream.NewClient(addr, upstream.NoKeyPair)
	drive(t, c, work)
	halts(t, c, p)
}

// The same with the password and the certificate of a cloud instance.
func TestUpstreamClientWithKeyPair(t *testing.T) {
	addr, work := dialtest.FreeAddr(t), t.TempDir()
	kp, err := upstream.NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(kp.KeyPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, []string{"META_tls_cert=" + kp.CertPEM, "META_tls_key=@" + keyFile, "META_password=" + kp.Password()},
		"gobuild", "buildlet", "-listen="+addr, "-workdir="+work)
	p.await("listening")
	c := upstream.NewClient(addr, kp)
	drive(t, c, work)

	var out bytes.Buffer
	if _, err := c.Exec(t.Context(), "env", upstream.ExecOpts{SystemLevel: true, Output: &out}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), kp.Password()) || strings.Contains(out.String(), "META_") {
		t.Errorf("a command inherits the buildlet's secrets:\n%s", out.String())
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+addr+"/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("gomote", "wrong")
	tr := &http.Transport{TLSClientConfig: &tls.Config{
		// The pair's certificate has no names; upstream's client pins it too.
		InsecureSkipVerify: true,
	}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a wrong password: %s, want 403", resp.Status)
	}
	halts(t, c, p)
}

// Upstream's client drives our buildlet through a registration server that is
// made of upstream's parts.
func TestUpstreamClientReverse(t *testing.T) {
	const hostType = "host-linux-amd64-localdev"
	dir := t.TempDir()
	cert, err := coordinator.DevCertificate(dir) // any certificate will do
	if err != nil {
		t.Fatal(err)
	}
	clients := make(chan *reverseClient, 8)
	var registrations atomic.Int32
	mux := http.NewServeMux()
	mux.Handle("/revdial", revdial.ConnHandler())
	mux.HandleFunc("/reverse", func(w http.ResponseWriter, r *http.Request) {
		registrations.Add(1)
		for name, want := range map[string]string{
			"X-Go-Host-Type":        hostType,
			"X-Go-Builder-Key":      builderkey.DevMaster().Key(hostType),
			"X-Go-Builder-Hostname": "board",
			"X-Go-Builder-Version":  "29",
			"X-Revdial-Version":     "2",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		(&http.Response{StatusCode: http.StatusSwitchingProtocols, Proto: "HTTP/1.1"}).Write(conn)
		clients <- newReverseClient(conn)
	})
	ln := listenTLS(t, mux, cert)
	work := t.TempDir()
	p := start(t, []string{"GOBUILD_CA_FILE=" + filepath.Join(dir, coordinator.DevCA)}, "gobuild", "buildlet", "--dev",
		"-coordinator="+ln, "-reverse-type="+hostType, "-hostname=board", "-workdir="+work, "-health-addr=127.0.0.1:0", "-halt=false")
	c := receive(t, clients)
	drive(t, c, work)

	// A lost link: the buildlet comes back by itself.
	c.dialer.Close()
	c = receive(t, clients)
	if status, err := c.Status(t.Context()); err != nil || status.Version != 29 {
		t.Errorf("after the link was lost: %+v, %v", status, err)
	}
	halts(t, c, p)
	if n := registrations.Load(); n != 2 {
		t.Errorf("%d registrations, want 2", n)
	}
}

// reverseClient is upstream's client on a control connection.
type reverseClient struct {
	upstream.Client
	dialer *revdial.Dialer
}

func newReverseClient(conn net.Conn) *reverseClient {
	dialer := revdial.NewDialer(conn, "/revdial")
	c := upstream.NewClient("board", upstream.NoKeyPair)
	c.SetHTTPClient(&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.Dial(ctx) },
	}})
	return &reverseClient{c, dialer}
}

func receive(t *testing.T, clients chan *reverseClient) *reverseClient {
	t.Helper()
	select {
	case c := <-clients:
		return c
	case <-time.After(patience):
		t.Fatalf("nobody registered within %s", patience)
		return nil
	}
}

// drive does with c everything that upstream's coordinator and gomote server
// do with a buildlet.
func drive(t *testing.T, c upstream.Client, work string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()

	if status, err := c.Status(ctx); err != nil || status.Version != 29 {
		t.Fatalf("status: %+v, %v", status, err)
	}
	if got, err := c.WorkDir(ctx); err != nil || got != work {
		t.Errorf("work directory %q, %v, want %q", got, err, work)
	}

	script := "#!/bin/sh\necho out; echo err >&2; echo $GREETING $1; exit $2\n"
	if err := c.Put(ctx, strings.NewReader(script), "bin/greet", 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	remoteErr, err := c.Exec(ctx, "bin/greet", upstream.ExecOpts{
		Args: []string{"joe", "5"}, ExtraEnv: []string{"GREETING=hello"}, Output: &out,
	})
	if err != nil || remoteErr == nil || remoteErr.Error() != "exit status 5" || out.String() != "out\nerr\nhello joe\n" {
		t.Errorf("exec: %v, %v, %q", remoteErr, err, out.String())
	}
	if remoteErr, err = c.Exec(ctx, "true", upstream.ExecOpts{SystemLevel: true}); err != nil || remoteErr != nil {
		t.Errorf("true: %v, %v", remoteErr, err)
	}
	remoteErr, err = c.Exec(ctx, "/no/such/program", upstream.ExecOpts{SystemLevel: true})
	if err != nil || remoteErr == nil || !strings.Contains(remoteErr.Error(), "no such file") {
		t.Errorf("missing program: %v, %v", remoteErr, err)
	}
	out.Reset()
	_, err = c.Exec(ctx, "/bin/sh", upstream.ExecOpts{SystemLevel: true, Args: []string{"-c", "echo $PATH; echo $TMPDIR; pwd"}, Path: []string{"$WORKDIR/bin", "/usr/bin"}, Output: &out})
	want := work + "/bin:/usr/bin\n" + work + "/tmp\n" + work + "\n"
	if err != nil || out.String() != want {
		t.Errorf("environment: %q, %v, want %q", out.String(), err, want)
	}

	data := make([]byte, 300<<10)
	rand.Read(data)
	when := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := c.PutTar(ctx, bytes.NewReader(makeTar(t, when, map[string][]byte{"a/data": data, "a/b/empty": nil})), "tree"); err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = c.ListDir(ctx, "tree", upstream.ListDirOpts{Recursive: true, Digest: true, Skip: []string{"a/b"}}, func(e upstream.DirEntry) {
		lines = append(lines, e.Line)
		if strings.HasSuffix(e.Name(), "data") && e.Digest() != fmt.Sprintf("%x", sha1.Sum(data)) {
			t.Errorf("digest of %s: %s", e.Name(), e.Digest())
		}
	})
	wantLines := []string{"drwxr-xr-x\ta/", fmt.Sprintf("-rw-r-----\ta/data\t%d\t2020-02-03T04:05:06Z\t%x", len(data), sha1.Sum(data))}
	if err != nil || !slices.Equal(lines, wantLines) {
		t.Errorf("listing: %q, %v, want %q", lines, err, wantLines)
	}

	body, err := c.GetTar(ctx, "tree")
	if err != nil {
		t.Fatal(err)
	}
	got := readTar(t, body)
	body.Close()
	if !bytes.Equal(got["a/data"], data) || got["a/b/empty"] == nil || len(got) != 2 {
		t.Errorf("the archive that came back has %d files", len(got))
	}

	if err := c.PutTar(ctx, strings.NewReader("no archive"), ""); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("no archive: error %v, want 400", err)
	}
	if err := c.RemoveAll(ctx, "tree", "not/there"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(work, "tree")); !os.IsNotExist(err) {
		t.Errorf("tree is still there: %v", err)
	}
	if err := c.RemoveAll(ctx, "../x"); err == nil {
		t.Error("a path outside of the work directory was accepted")
	}

	// A command whose caller goes away is killed with what it has started.
	execCtx, abandon := context.WithCancel(ctx)
	defer abandon()
	ended := make(chan error, 1)
	go func() {
		remoteErr, err := c.Exec(execCtx, "/bin/sh", upstream.ExecOpts{SystemLevel: true,
			Args: []string{"-c", "sh -c 'echo $$ > child; exec sleep 600' & wait"}})
		ended <- errors.Join(remoteErr, err) // the kill may be seen before the cancellation
	}()
	var pid string
	waitFor(t, "the grandchild runs", func() bool {
		text, _ := os.ReadFile(filepath.Join(work, "child"))
		pid = strings.TrimSpace(string(text))
		return pid != ""
	})
	abandon()
	if err := <-ended; err == nil {
		t.Error("an abandoned command ended well")
	}
	waitFor(t, "the grandchild is dead", func() bool {
		_, err := os.Stat("/proc/" + pid)
		return os.IsNotExist(err)
	})
	if err := c.RemoveAll(ctx, "."); err != nil {
		t.Error(err)
	}
}

// halts checks that POST /halt, which Close sends, ends the process well.
func halts(t *testing.T, c upstream.Client, p *process) {
	t.Helper()
	c.Close()
	select {
	case <-p.ended:
		if !p.cmd.ProcessState.Success() {
			t.Errorf("after /halt the buildlet ended with %v", p.cmd.ProcessState)
		}
	case <-time.After(patience):
		t.Errorf("the buildlet still runs %s after /halt", patience)
	}
}

func makeTar(t testing.TB, when time.Time, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for name, data := range files {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o640, ModTime: when}); err != nil {
			t.Fatal(err)
		}
		tw.Write(data)
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// readTar returns the regular files of an archive.
func readTar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	zr, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			data, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			files[strings.TrimPrefix(h.Name, "./")] = append([]byte{}, data...)
		}
	}
}

// listenTLS serves h on loopback until the test ends and returns the address.
func listenTLS(t *testing.T, h http.Handler, cert tls.Certificate) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return ln.Addr().String()
}
