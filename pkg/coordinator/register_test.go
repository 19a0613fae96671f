package coordinator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
)

func TestRefusals(t *testing.T) {
	f := newFarm(t, Options{})
	for _, tt := range []struct {
		name   string
		change map[string]string // "": header left out
		status int
		text   string
	}{
		{name: "no revdial version", change: map[string]string{"X-Revdial-Version": ""}, status: 400, text: "buildlet binary is too old"},
		{name: "other revdial version", change: map[string]string{"X-Revdial-Version": "3"}, status: 400, text: "unknown revdial version"},
		{name: "no host name", change: map[string]string{"X-Go-Builder-Hostname": ""}, status: 400, text: "missing X-Go-Builder-Hostname header"},
		{name: "no host type", change: map[string]string{"X-Go-Host-Type": ""}, status: 400, text: "missing X-Go-Host-Type; old buildlet binary?"},
		{name: "no key", change: map[string]string{"X-Go-Builder-Key": ""}, status: 412, text: "invalid build key"},
		{name: "wrong key", change: map[string]string{"X-Go-Builder-Key": "0123456789abcdef0123456789abcdef"}, status: 412, text: testType},
		{name: "key of another type", change: map[string]string{"X-Go-Builder-Key": f.master.Key("host-linux-arm")}, status: 412, text: "invalid build key"},
		{name: "unknown host type", change: map[string]string{"X-Go-Host-Type": "host-linux-amd46", "X-Go-Builder-Key": f.master.Key("host-linux-amd46")}, status: 400, text: `is it host-linux-amd64?`},
		{name: "host name with markup", change: map[string]string{"X-Go-Builder-Hostname": "<script>"}, status: 400, text: "bad X-Go-Builder-Hostname"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := f.goodHeader()
			maps.Copy(header, tt.change)
			maps.DeleteFunc(header, func(_, v string) bool { return v == "" })
			conn := f.dialRaw()
			ask(t, conn, "/reverse", header)
			status, body := answer(t, conn)
			if status != tt.status || !strings.Contains(body, tt.text) {
				t.Errorf("%d %q, want %d with %q", status, body, tt.status, tt.text)
			}
			if strings.Contains(body, f.master.Key(testType)) {
				t.Errorf("the right key is in the answer: %q", body)
			}
		})
	}
	if hosts := f.pool.snapshot().Hosts; len(hosts) != 0 {
		t.Errorf("the pool has %+v", hosts)
	}
}

func TestRegistrationNeedsTLSAndHTTP1(t *testing.T) {
	f := newFarm(t, Options{})
	plain := httptest.NewServer(f.Coordinator)
	defer plain.Close()
	for path, want := range map[string]string{"/reverse": "buildlet registration requires SSL", "/revdial": "handler requires TLS"} {
		resp, err := http.Get(plain.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 500 || strings.TrimSpace(string(body)) != want {
			t.Errorf("%s without TLS: %d %q", path, resp.StatusCode, body)
		}
	}
	h2 := httptest.NewUnstartedServer(f.Coordinator)
	h2.EnableHTTP2 = true
	h2.StartTLS()
	defer h2.Close()
	for _, path := range []string{"/reverse", "/revdial"} {
		req, _ := http.NewRequest("GET", h2.URL+path, nil)
		for k, v := range f.goodHeader() {
			req.Header.Set(k, v)
		}
		resp, err := h2.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusHTTPVersionNotSupported {
			t.Errorf("%s over %s: %s", path, resp.Proto, resp.Status)
		}
	}
}

func TestRevdialRefusals(t *testing.T) {
	f := newFarm(t, Options{})
	if status, body := f.get("/revdial?revdial.dialer=00000000000000000000000000000000"); status != 400 || body != "unknown dialer" {
		t.Errorf("unknown dialer: %d %q", status, body)
	}
	conn := f.dialRaw()
	io.WriteString(conn, "POST /revdial HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	if status, _ := answer(t, conn); status != 405 {
		t.Errorf("POST: %d, want 405", status)
	}
}

// The 101 has a TLS record of its own: a peer that drops what it has buffered
// behind the header, as upstream's does, loses nothing.
func TestSwitchingIsAloneInItsRecord(t *testing.T) {
	f := newFarm(t, Options{})
	conn := f.dialRaw()
	ask(t, conn, "/reverse", f.goodHeader())
	buf := make([]byte, 64<<10)
	n, err := conn.Read(buf) // tls.Conn.Read returns one record at the most
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); got != switching {
		t.Errorf("the first record is %q, want %q", got, switching)
	}
	var line struct{ Command string }
	if err := json.NewDecoder(conn).Decode(&line); err != nil || line.Command != "keep-alive" {
		t.Errorf("the first line is %+v (%v), want a keep-alive", line, err)
	}
}

// register does by hand what a buildlet does, and returns the control
// connection.
func (f *testFarm) register(header map[string]string) (io.ReadWriteCloser, *bufio.Reader) {
	f.t.Helper()
	conn := f.dialRaw()
	ask(f.t, conn, "/reverse", header)
	buf := make([]byte, 64<<10)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != switching {
		f.t.Fatalf("registration: %q, %v", buf[:n], err)
	}
	return conn, bufio.NewReader(conn)
}

func TestLinkEndsWithReason(t *testing.T) {
	for _, tt := range []struct {
		name string
		send string
		want string
	}{
		{"closed", "", "the link"}, // closed it, or broke: what is under way decides
		{"long line", strings.Repeat("x", 5000), "more than 4096 bytes"},
		{"long line in small pieces", strings.Repeat("{", 4095) + "}\n", "more than 4096 bytes"},
		{"not JSON", "hello\n", "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFarm(t, Options{})
			header := f.goodHeader()
			header["X-Go-Builder-Hostname"] = "brief"
			conn, _ := f.register(header)
			f.await("it is in the pool", func() bool { return len(f.pool.snapshot().Hosts) == 1 })
			if tt.send == "" {
				conn.Close()
			} else {
				io.WriteString(conn, tt.send)
			}
			f.await("it is gone", func() bool { return len(f.pool.snapshot().Gone) == 1 })
			gone := f.pool.snapshot().Gone[0]
			if gone.Hostname != "brief" || !strings.Contains(gone.Why, tt.want) {
				t.Errorf("gone: %+v, want a reason with %q", gone, tt.want)
			}
		})
	}
}

// A machine that registers and never dials back does not stay.
func TestSilentMachineIsEvicted(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: 20 * time.Millisecond, HeartbeatWait: 20 * time.Millisecond})
	header := f.goodHeader()
	conn, lines := f.register(header)
	defer conn.Close()
	go io.Copy(io.Discard, lines)
	f.await("it is evicted", func() bool { return len(f.pool.snapshot().Gone) == 1 })
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "gave no status") {
		t.Errorf("why: %q", why)
	}
}

// A machine that stops answering is evicted, and what it held ends.
func TestFrozenMachineIsEvicted(t *testing.T) {
	f := newFarm(t, Options{HeartbeatEvery: 20 * time.Millisecond, HeartbeatWait: 500 * time.Millisecond})
	frozen := make(chan struct{})
	m := f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-frozen:
				<-r.Context().Done()
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	joe := f.client("joe")
	inst := f.create(joe)
	close(frozen)
	f.await("it is evicted", func() bool { return len(f.pool.snapshot().Gone) > 0 })
	m.stop()
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "heartbeat") {
		t.Errorf("why: %q", why)
	}
	_, err := joe.Instance(t.Context(), inst.ID)
	wantAPIError(t, err, api.CodeGone, "board", "lost")
}

func TestOldVersionIsRefused(t *testing.T) {
	f := newFarm(t, Options{})
	f.joinWith("old", testType, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"Version":22}`) })
	})
	f.await("it is refused", func() bool { return len(f.pool.snapshot().Gone) > 0 })
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "22") || !strings.Contains(why, "23") {
		t.Errorf("why: %q", why)
	}
}

// A header line without end is cut off with an answer.
func TestEndlessHeaderLine(t *testing.T) {
	f := newFarm(t, Options{})
	conn := f.dialRaw()
	go func() {
		io.WriteString(conn, "GET /reverse HTTP/1.1\r\nX-Long: ")
		piece := strings.Repeat("a", 32<<10)
		for range 64 {
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		text, _ := httputil.DumpResponse(resp, true)
		t.Errorf("answer: %s", text)
	}
}
