//go:build unix

package buildlet

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestExecStdin(t *testing.T) {
	s := serve(t, Options{})
	big := make([]byte, 8<<20)
	rand.Read(big)
	for _, input := range [][]byte{nil, []byte("x"), []byte("a\r\n--b\r\n\x00"), big} {
		var out bytes.Buffer
		state, err := s.client().Exec(t.Context(), "/bin/cat", ExecOptions{Stdin: bytes.NewReader(input), Output: &out})
		if err != nil || !state.OK() || !bytes.Equal(out.Bytes(), input) {
			t.Errorf("%d bytes in, %d out, state %q (%v)", len(input), out.Len(), state.Text, err)
		}
	}
	if out, state := s.exec("/bin/cat", ExecOptions{}); out != "" || !state.OK() {
		t.Errorf("without input: %q, %q", out, state.Text)
	}
}

// A command may end with its input unread, while the caller sends more; all of
// its answer arrives.
func TestExecStdinUnread(t *testing.T) {
	s := serve(t, Options{})
	for i := range 60 {
		var stdin io.Reader = new(endless)
		if i%4 == 3 {
			stdin = new(slow)
		}
		line := []string{"exit 3", "head -c 10 >/dev/null; exit 3", "exec <&-; sleep 0.01; exit 3"}[i%3]
		within(t, line, func() {
			out, state := s.exec("/bin/sh", ExecOptions{Args: []string{"-c", "echo begun; " + line}, Stdin: stdin, Dir: "."})
			if out != "begun\n" || state.Text != "exit status 3" {
				t.Errorf("%s: %q, %q", line, out, state.Text)
			}
		})
	}
}

// endless is a reader without end.
type endless struct{}

func (*endless) Read(p []byte) (int, error) { return len(p), nil }

// The command runs before the first byte of its input is there, and may end
// without one.
func TestExecStdinLate(t *testing.T) {
	s := serve(t, Options{})
	pr, pw := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := s.client().Exec(t.Context(), "/bin/sh", ExecOptions{Dir: ".", Stdin: pr, Output: outW,
			Args: []string{"-c", `echo ready; read line; echo "got $line"`}})
		outW.Close()
		done <- err
	}()
	buf := make([]byte, 100)
	if n, err := outR.Read(buf); string(buf[:n]) != "ready\n" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	time.Sleep(50 * time.Millisecond)
	fmt.Fprintln(pw, "answer")
	if rest, err := io.ReadAll(outR); string(rest) != "got answer\n" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	pw.Close()

	silent, quit := io.Pipe()
	defer quit.Close()
	within(t, "a command that does not wait for its input", func() {
		if _, state := s.exec("/bin/sh", ExecOptions{Args: []string{"-c", "exit 4"}, Stdin: silent}); state.Text != "exit status 4" {
			t.Errorf("state %q", state.Text)
		}
	})
}

// multipartBody makes the body of an exec of its parts, name and content in
// turn.
func multipartBody(t testing.TB, parts ...string) (body, contentType string) {
	t.Helper()
	var buf strings.Builder
	mw := multipart.NewWriter(&buf)
	for i := 0; i < len(parts); i += 2 {
		w, err := mw.CreateFormField(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, parts[i+1])
	}
	mw.Close()
	return buf.String(), mw.FormDataContentType()
}

func TestExecMultipart(t *testing.T) {
	s := serve(t, Options{})
	cat := url.Values{"cmd": {"/bin/sh"}, "cmdArg": {"-c", "cat; sleep 0.2; echo over"}}.Encode()
	for _, tt := range []struct {
		name   string
		parts  []string
		cut    int
		status int
		out    string
		state  string
	}{
		{"both parts", []string{"form", cat, "stdin", "in "}, 0, 200, "in over\n", "ok"},
		{"no input", []string{"form", cat}, 0, 200, "over\n", "ok"},
		{"more parts", []string{"form", cat, "stdin", "in ", "more", "x"}, 0, 200, "in over\n", "ok"},
		{"nothing", nil, 0, 400, "the first part of the body has to be the form (", ""},
		{"other order", []string{"stdin", "in", "form", cat}, 0, 400, "the first part of the body has to be the form (", ""},
		{"form cut off", []string{"form", cat}, 60, 400, "unexpected EOF\n", ""},
		{"bad form", []string{"form", "cmd=%zz"}, 0, 400, "invalid URL escape \"%zz\"\n", ""},
		{"large form", []string{"form", "cmd=" + strings.Repeat("x", maxForm)}, 0, 413, "the command with its arguments", ""},
		{"input cut off", []string{"form", cat, "stdin", strings.Repeat("in", 100)}, 80, 200, "", "signal: killed"},
		{"other part", []string{"form", cat, "other", "in"}, 0, 200, "", "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, contentType := multipartBody(t, tt.parts...)
			resp := s.send("POST", "/exec", strings.NewReader(body[:len(body)-tt.cut]), contentType)
			defer resp.Body.Close()
			out, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status || !strings.HasPrefix(string(out), tt.out) || resp.Trailer.Get("Process-State") != tt.state {
				t.Errorf("%s %.200q, trailer %v (%v); want %d %q, %q", resp.Status, out, resp.Trailer, err, tt.status, tt.out, tt.state)
			}
		})
	}
	resp := s.send("POST", "/exec", strings.NewReader("x"), "multipart/form-data")
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("without a boundary: %s", resp.Status)
	}
}

// FuzzExecForm: whatever is sent, the form is refused or of bounded size.
func FuzzExecForm(f *testing.F) {
	body, contentType := multipartBody(f, "form", "cmd=x&cmdArg=y", "stdin", "z")
	f.Add(contentType, body)
	f.Add(contentType, body[:40])
	f.Add(formType, "cmd=x&env=A%3Db&path=%24PATH")
	f.Add(formType, "cmd=%zz;")
	f.Add("multipart/form-data", "")
	f.Add("multipart/form-data; boundary=x", "--x\r\n\r\n--x--")
	f.Add("", "cmd=x")
	s, err := New(Options{WorkDir: f.TempDir(), Log: testLog(), Environ: []string{"A=b"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest("POST", "/exec", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		form, stdin, err := readExecForm(httptest.NewRecorder(), r)
		if err != nil {
			return
		}
		if size := len(form.Encode()); size > 6*len(body)+100 {
			t.Errorf("a form of %d bytes of a body of %d", size, len(body))
		}
		if stdin != nil {
			if n, _ := io.Copy(io.Discard, stdin); n > int64(len(body)) {
				t.Errorf("%d bytes of input of a body of %d", n, len(body))
			}
		}
		if j, status, err := s.newJob(form); err == nil && (j.path == "" || j.dir == "") || err != nil && status < 400 {
			t.Errorf("job %+v, status %d (%v)", j, status, err)
		}
	})
}
