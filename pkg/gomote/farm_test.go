package gomote_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gobuild/pkg/api"
	"gobuild/pkg/builderkey"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/coordinator"
	"gobuild/pkg/gomote"
	"gobuild/pkg/netdial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience    = 30 * time.Second // for what should take no time
	testType    = "host-linux-amd64"
	testBuilder = "linux-amd64"
	principal   = "user-joe"
)

// bench is a session on an instance of a farm with one machine.
type bench struct {
	*gomote.Session
	work   string // the machine's work directory
	client *api.Client
	key    string
}

// upstream makes a buildlet look like upstream's: it knows of no additions.
func upstream(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/status":
			w.Write([]byte(`{"Version":29}`))
		case "/read":
			http.NotFound(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// newBench starts a coordinator and a buildlet, whose requests go through wrap
// first, and opens a session.
func newBench(t *testing.T, wrap func(http.Handler) http.Handler) *bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	master := builderkey.DevMaster()
	c, err := coordinator.New(coordinator.Options{Master: master, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, err := coordinator.DevCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := netdial.Roots(filepath.Join(dir, coordinator.DevCA))
	if err != nil {
		t.Fatal(err)
	}
	dialer := &netdial.Dialer{Roots: roots}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	background(t, "coordinator", func(ctx context.Context) error { return c.Serve(ctx, ln, cert) })

	b := &bench{work: t.TempDir(), key: master.Key(principal)}
	srv, err := buildlet.New(buildlet.Options{WorkDir: b.work, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	rev := &buildlet.Reverse{
		Coordinator: ln.Addr().String(), HostType: testType, Hostname: "board",
		Key:    func() (string, error) { return master.Key(testType), nil },
		Dialer: dialer, Handler: wrap(srv), Log: log,
	}
	background(t, "buildlet", rev.Run)

	b.client, err = api.NewClient(api.ClientOptions{URL: "https://" + ln.Addr().String(), User: principal, Key: b.key, Dialer: dialer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	inst, err := b.client.Create(within(t), api.CreateRequest{BuilderType: testBuilder}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b.Session, err = gomote.Open(within(t), b.client, principal, b.key, inst.ID); err != nil {
		t.Fatal(err)
	}
	return b
}

// background runs fn until the end of the test.
func background(t *testing.T, name string, fn func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- fn(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
}

// within returns a context that ends a test that hangs.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// asIs leaves a buildlet as it is.
func asIs(next http.Handler) http.Handler { return next }
