package coordinator

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/netdial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testType    = "host-linux-amd64"
	testBuilder = "linux-amd64"
	patience    = 30 * time.Second // for what should take no time
)

var devMaster = builderkey.DevMaster()

// testFarm is a coordinator that serves on loopback.
type testFarm struct {
	*Coordinator
	t      *testing.T
	addr   string
	dialer *netdial.Dialer
	master builderkey.Master
}

// testLog drops what is logged, unless the test is verbose.
func testLog() *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// newFarm starts a coordinator that ends with the test.
func newFarm(t *testing.T, opts Options) *testFarm {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, stop := serveFarm(t, t.TempDir(), ln, opts)
	t.Cleanup(stop)
	return f
}

// serveFarm starts a coordinator behind ln, with the certificate authority in
// dir; stop ends it.
func serveFarm(t *testing.T, dir string, ln net.Listener, opts Options) (f *testFarm, stop func()) {
	t.Helper()
	opts.Master = devMaster
	if opts.Log == nil {
		opts.Log = testLog()
	}
	opts.Program = "gobuild test"
	cert, err := DevCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := netdial.Roots(filepath.Join(dir, DevCA))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, ln, cert) }()
	return &testFarm{c, t, ln.Addr().String(), &netdial.Dialer{Roots: roots}, devMaster}, func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// machine is a worker of the farm.
type machine struct {
	work string // work directory
	stop func() // ends it and waits
	srv  *buildlet.Server
}

// join registers a machine and waits until it is idle in the pool.
func (f *testFarm) join(hostname, hostType string) *machine {
	f.t.Helper()
	m := f.joinWith(hostname, hostType, nil)
	f.await(hostname+" is idle", func() bool {
		for _, h := range f.pool.snapshot().Hosts {
			if h.Hostname == hostname && h.State == api.HostIdle {
				return true
			}
		}
		return false
	})
	return m
}

// joinWith registers a machine whose requests go through wrap first.
func (f *testFarm) joinWith(hostname, hostType string, wrap func(http.Handler) http.Handler) *machine {
	f.t.Helper()
	work := f.t.TempDir()
	srv, err := buildlet.New(buildlet.Options{WorkDir: work, Program: "gobuild test", Log: testLog()})
	if err != nil {
		f.t.Fatal(err)
	}
	var h http.Handler = srv
	if wrap != nil {
		h = wrap(srv)
	}
	rev := &buildlet.Reverse{
		Coordinator: f.addr, HostType: hostType, Hostname: hostname, Process: rand.Text(),
		Key:    func() (string, error) { return f.master.Key(hostType), nil },
		Dialer: f.dialer, Handler: h, Log: testLog(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := rev.Run(ctx); err != nil {
			f.t.Errorf("%s: %v", hostname, err)
		}
	}()
	m := &machine{work: work, srv: srv, stop: func() {
		cancel()
		<-ended
		srv.Close()
	}}
	f.t.Cleanup(m.stop)
	return m
}

// await waits until cond holds.
func (f *testFarm) await(what string, cond func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			f.t.Fatalf("not within %s: %s\npool: %+v", patience, what, f.pool.snapshot())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// client returns the API client of a user.
func (f *testFarm) client(name string) *api.Client {
	f.t.Helper()
	c, err := api.NewClient(api.ClientOptions{
		URL: "https://" + f.addr, User: "user-" + name, Key: f.master.Key("user-" + name), Dialer: f.dialer,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// onInstance returns the buildlet client of a user's instance.
func (f *testFarm) onInstance(c *api.Client, name, id string) *buildlet.Client {
	return buildlet.NewClient(c.BuildletURL(id), buildlet.ClientOptions{
		HTTP: c.HTTP(), User: "user-" + name, Password: f.master.Key("user-" + name),
		Refused: func(resp *http.Response, body []byte) error { return api.ParseError(resp, body) },
	})
}

// create makes an instance for joe.
func (f *testFarm) create(c *api.Client) api.Instance {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	inst, err := c.Create(ctx, api.CreateRequest{BuilderType: testBuilder}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return inst
}

// dialRaw opens a TLS connection.
func (f *testFarm) dialRaw() *tls.Conn {
	f.t.Helper()
	conn, err := f.dialer.DialTLS(f.t.Context(), f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	f.t.Cleanup(func() { conn.Close() })
	return conn
}

// goodHeader is a registration that is accepted.
func (f *testFarm) goodHeader() map[string]string {
	return map[string]string{
		"X-Go-Host-Type":        testType,
		"X-Go-Builder-Key":      f.master.Key(testType),
		"X-Go-Builder-Hostname": "raw",
		"X-Go-Builder-Version":  "29",
		"X-Revdial-Version":     "2",
	}
}

// ask sends a GET with header over conn.
func ask(t *testing.T, conn net.Conn, path string, header map[string]string) {
	t.Helper()
	req := "GET " + path + " HTTP/1.1\r\nHost: \r\n"
	for k, v := range header {
		req += k + ": " + v + "\r\n"
	}
	if _, err := io.WriteString(conn, req+"\r\n"); err != nil {
		t.Fatal(err)
	}
}

// answer reads an answer from conn.
func answer(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, ""
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (f *testFarm) get(path string) (status int, body string) {
	f.t.Helper()
	conn := f.dialRaw()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	return answer(f.t, conn)
}
