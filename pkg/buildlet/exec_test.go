//go:build unix

package buildlet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// exec runs a command by the client and returns its output and state.
func (s *testServer) exec(cmd string, opts ExecOptions) (string, ExitState) {
	s.t.Helper()
	var out strings.Builder
	opts.Output = &out
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	state, err := s.client().Exec(ctx, cmd, opts)
	if err != nil {
		s.t.Fatalf("%s %q: %v", cmd, opts.Args, err)
	}
	return out.String(), state
}

// sh runs a line of shell in the work directory.
func (s *testServer) sh(line string) (string, ExitState) {
	s.t.Helper()
	return s.exec("/bin/sh", ExecOptions{Args: []string{"-c", line}, Dir: "."})
}

func TestExecStates(t *testing.T) {
	s := serve(t, Options{})
	s.put("not-executable", "x", 0o644)
	s.put("no-format", "\x00\x01", 0o755)
	if err := os.Mkdir(s.path("dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ cmd, line, out, state string }{
		{"/bin/sh", "echo out; echo err >&2; echo out", "out\nerr\nout\n", "ok"},
		{"/bin/sh", "exit 0", "", "ok"},
		{"/bin/sh", "printf x; exit 42", "x", "exit status 42"},
		{"/bin/sh", "kill -9 $$", "", "signal: killed"},
		{"/bin/sh", "kill $$", "", "signal: terminated"},
		{"/no/such/program", "", "", "fork/exec /no/such/program: no such file or directory"},
		{"./not-executable", "", "", "fork/exec " + s.path("not-executable") + ": permission denied"},
		{"./no-format", "", "", "fork/exec " + s.path("no-format") + ": exec format error"},
		{"./dir", "", "", "fork/exec " + s.path("dir") + ": permission denied"},
		{"/no/such\nprogram\x01", "", "", "fork/exec /no/such program?: no such file or directory"},
	} {
		out, state := s.exec(tt.cmd, ExecOptions{Args: []string{"-c", tt.line}, Dir: "."})
		if out != tt.out || state.Text != tt.state {
			t.Errorf("%q %q: %q, %q; want %q, %q", tt.cmd, tt.line, out, state.Text, tt.out, tt.state)
		}
	}
	if _, state := s.exec("/bin/sh", ExecOptions{Dir: "none"}); !strings.Contains(state.Text, "no such file") {
		t.Errorf("directory that is not there: %q", state.Text)
	}
	if s.Busy() != 0 {
		t.Errorf("busy with %d commands", s.Busy())
	}
}

// The answer as upstream's clients know it.
func TestExecAnswer(t *testing.T) {
	s := serve(t, Options{})
	resp := s.send("POST", "/exec", strings.NewReader("cmd=/bin/echo&cmdArg=a&cmdArg=b+c"), formType)
	defer resp.Body.Close()
	if _, ok := resp.Header["Content-Type"]; ok || resp.StatusCode != 200 {
		t.Errorf("status %s, Content-Type %q", resp.Status, resp.Header["Content-Type"])
	}
	if _, ok := resp.Trailer["Process-State"]; !ok || fmt.Sprint(resp.TransferEncoding) != "[chunked]" {
		t.Errorf("trailer %v, encoding %v", resp.Trailer, resp.TransferEncoding)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "a b c\n" || resp.Trailer.Get("Process-State") != "ok" {
		t.Errorf("body %q, trailer %v (%v)", body, resp.Trailer, err)
	}
}

func TestExecRefusals(t *testing.T) {
	s := serve(t, Options{})
	s.put("sub/prog", "#!/bin/sh\n", 0o755)
	for _, tt := range []struct {
		form   string
		status int
		body   string
	}{
		{"", 400, "requires 'cmd' parameter\n"},
		{"cmd=", 400, "requires 'cmd' parameter\n"},
		{"cmd=%zz", 400, "invalid URL escape \"%zz\"\n"},
		{"cmd=no-such-program", 422, "invalid 'cmd' parameter: command \"no-such-program\" not found\n"},
		{"cmd=..", 422, "invalid 'cmd' parameter: command \"..\" not found\n"},
		{"cmd=sub", 422, "invalid 'cmd' parameter: command \"sub\" not found\n"},
		{"cmd=sub/prog&mode=sys", 400, "invalid 'cmd' parameter: 'sys' mode requires absolute or system 'cmd' path\n"},
		{"cmd=../x", 400, "invalid 'cmd' parameter: path \"../x\" refers to a parent directory\n"},
		{"cmd=/bin/echo&dir=../x", 400, "invalid 'dir' parameter: path \"../x\" refers to a parent directory\n"},
		{"cmd=/bin/echo&cmdArg=" + strings.Repeat("x", maxForm), 413,
			"the command with its arguments and environment is larger than 10485760 bytes\n"},
	} {
		if status, body := s.post("/exec", tt.form); status != tt.status || body != tt.body {
			t.Errorf("form %.60q: %d %q, want %d %q", tt.form, status, body, tt.status, tt.body)
		}
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /exec HTTP/1.0\r\nContent-Type: %s\r\nContent-Length: 13\r\n\r\ncmd=/bin/echo", formType)
	conn.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 400 || string(body) != "HTTP/1.1 or higher required\n" {
		t.Errorf("HTTP/1.0: %s %q", resp.Status, body)
	}
}

// What a command prints arrives before it ends.
func TestExecStreams(t *testing.T) {
	s := serve(t, Options{})
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := s.client().Exec(t.Context(), "/bin/sh", ExecOptions{Dir: ".", Output: pw,
			Args: []string{"-c", `echo first; while [ ! -e go-on ]; do sleep 0.01; done; printf last`}})
		pw.Close()
		done <- err
	}()
	br := bufio.NewReader(pr)
	if line, err := br.ReadString('\n'); line != "first\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if s.Busy() != 1 {
		t.Errorf("busy with %d commands", s.Busy())
	}
	s.put("go-on", "", 0o644)
	if rest, err := io.ReadAll(br); string(rest) != "last" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Where commands are found and where they run (section 3.7).
func TestExecFindsCommand(t *testing.T) {
	s := serve(t, Options{})
	s.put("sub/prog", "#!/bin/sh\npwd\n", 0o755)
	s.put("sh-local", "#!/bin/sh\npwd\n", 0o755)
	s.put("cat", "#!/bin/sh\necho shadow\n", 0o755)
	real, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(real)
	for _, tt := range []struct{ form, want string }{
		{"cmd=sub/prog", s.path("sub") + "\n"},
		{"cmd=./sub/../sub/prog", s.path("sub") + "\n"},
		{"cmd=sub/prog&dir=.", s.work + "\n"},
		{"cmd=sub/prog&dir=" + url.QueryEscape(real+"/x/.."), real + "\n"},
		{"cmd=" + url.QueryEscape(s.path("sub/prog")), s.path("sub") + "\n"},
		{"cmd=sh-local", s.work + "\n"},
		{"cmd=cat", "shadow\n"},
		{"cmd=cat&mode=sys", ""},
		{"cmd=pwd&mode=sys", s.work + "\n"},
		{"cmd=pwd&mode=sys&dir=sub", s.path("sub") + "\n"},
		{"cmd=/bin/sh&cmdArg=-c&cmdArg=pwd", "/bin\n"},
	} {
		status, body := s.post("/exec", tt.form)
		if status != 200 || body != tt.want && !(strings.HasSuffix(tt.form, "cmdArg=pwd") && strings.HasSuffix(body, tt.want)) {
			t.Errorf("form %q: %d %q, want %q", tt.form, status, body, tt.want)
		}
	}
}

func TestExecDebug(t *testing.T) {
	s := serve(t, Options{Environ: []string{"A=b"}})
	out, _ := s.exec("/bin/echo", ExecOptions{Args: []string{"x", "y z"}, Dir: ".", Debug: true})
	first, rest, _ := strings.Cut(out, "\n\n")
	if !strings.HasPrefix(first, `:: Running /bin/echo with args ["/bin/echo" "x" "y z"] and env ["A=b" "GOROOT_BOOTSTRAP=`) ||
		!strings.HasSuffix(first, "] in dir "+s.work) || rest != "x y z\n" {
		t.Errorf("output %q", out)
	}
	// What cannot be started is announced all the same.
	out, state := s.exec("/no/such", ExecOptions{Debug: true, Dir: "."})
	if !strings.HasPrefix(out, ":: Running /no/such with args") || state.Code() != 127 {
		t.Errorf("output %q, state %q", out, state.Text)
	}
}

// A caller that closes the connection has its command killed.
func TestExecCallerGoesAway(t *testing.T) {
	s := serve(t, Options{})
	for _, stdin := range []io.Reader{nil, strings.NewReader("all of it"), &slow{}, blocked{t.Context()}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		_, err := s.client().Exec(ctx, "/bin/sh", ExecOptions{
			Dir: ".", Args: []string{"-c", "cat >/dev/null & sleep 600; wait"}, Stdin: stdin,
			OnStart: func() { time.AfterFunc(100*time.Millisecond, func() { cancel(gone) }) },
		})
		if !errors.Is(err, gone) {
			t.Errorf("stdin %T: error %v", stdin, err)
		}
		await(t, fmt.Sprintf("the command with stdin %T is dead", stdin), func() bool { return s.Busy() == 0 })
	}
}

// slow is a reader without end that gives a little at a time.
type slow struct{}

func (*slow) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return copy(p, "a little\n"), nil
}

// blocked is a reader from which nothing comes.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, io.EOF }

// A server that closes kills its commands, even if nobody takes their output.
func TestCloseWhileOutputIsStuck(t *testing.T) {
	s := serve(t, Options{})
	resp := s.send("POST", "/exec", strings.NewReader("cmd=/bin/sh&cmdArg=-c&cmdArg=cat+/dev/zero"), formType)
	defer resp.Body.Close()
	time.Sleep(200 * time.Millisecond) // all buffers between are full
	within(t, "Close", func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
