package buildlet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	// maxForm bounds the form of an exec, in bytes.
	maxForm = 10 << 20
	// drainWait bounds the wait for the last output of a command that has
	// ended with all that it started.
	drainWait = 5 * time.Second
)

// serveExec runs a command and streams its output (section 3.7). The header
// is sent before the command starts, how it ended is in the trailer.
func (s *Server) serveExec(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPost:
		http.Error(w, "requires POST method", http.StatusBadRequest)
		return
	case !r.ProtoAtLeast(1, 1):
		// Trailers need chunks.
		http.Error(w, "HTTP/1.1 or higher required", http.StatusBadRequest)
		return
	}
	if !s.enter() {
		http.Error(w, "the buildlet is ending", http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	if err := s.makeOwnDirs(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	rc := http.NewResponseController(w)
	form, stdin, err := readExecForm(w, r)
	if err != nil {
		status := http.StatusBadRequest
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			status, err = http.StatusRequestEntityTooLarge, fmt.Errorf("the command with its arguments and environment is larger than %d bytes", large.Limit)
		}
		http.Error(w, err.Error(), status)
		return
	}
	job, status, err := s.newJob(form)
	if err != nil {
		http.Error(w, err.Error(), status)
		return
	}
	if stdin != nil {
		rc.EnableFullDuplex() // input is read while output is written
	}
	header := w.Header()
	header["Content-Type"] = nil // none: the output is whatever the command prints
	header.Set("Trailer", "Process-State")
	w.WriteHeader(http.StatusOK)
	if err := rc.Flush(); err != nil {
		return
	}
	if job.debug {
		fmt.Fprintf(w, ":: Running %s with args %q and env %q in dir %s\n\n", job.path, append([]string{job.path}, job.args...), job.env, job.dir)
		rc.Flush()
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	began := time.Now()
	state := s.run(ctx, cancel, job, stdin, &flushWriter{w, rc}, func() {
		rc.SetReadDeadline(time.Unix(1, 0)) // ends the reading of stdin
	})
	s.log.Info("command ended", "cmd", job.path, "state", state, "took", time.Since(began).Round(time.Millisecond))
	header.Set("Process-State", state)
}

// readExecForm returns the form of an exec, and the standard input that
// follows it if the caller sends one (AdditionStdin).
func readExecForm(w http.ResponseWriter, r *http.Request) (form url.Values, stdin io.Reader, err error) {
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "multipart/form-data" {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return nil, nil, err
		}
		return r.Form, nil, nil
	}
	mr := multipart.NewReader(r.Body, params["boundary"])
	part, err := mr.NextPart()
	if err != nil || part.FormName() != "form" {
		return nil, nil, fmt.Errorf("the first part of the body has to be the form (%v)", err)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, part, maxForm))
	if err != nil {
		return nil, nil, err
	}
	if form, err = url.ParseQuery(string(text)); err != nil {
		return nil, nil, err
	}
	// The second part is waited for with the command running: its first byte
	// may be an answer to the command's output.
	return form, &partReader{mr: mr}, nil
}

// partReader reads the part "stdin" of a multipart body.
type partReader struct {
	mr   *multipart.Reader
	part *multipart.Part
}

func (p *partReader) Read(b []byte) (int, error) {
	if p.part == nil {
		part, err := p.mr.NextPart()
		if err != nil {
			return 0, err
		}
		if part.FormName() != "stdin" {
			return 0, fmt.Errorf("unexpected part %q", part.FormName())
		}
		p.part = part
	}
	return p.part.Read(b)
}

// flushWriter sends on each write at once.
type flushWriter struct {
	w  io.Writer
	rc *http.ResponseController
}

func (f *flushWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.rc.Flush()
	}
	return n, err
}

// job is a command that is ready to run.
type job struct {
	path     string
	args     []string
	env      []string
	dir      string
	cookie   string // KEY=VALUE in env that marks the job's processes
	debug    bool
	firewall bool
}

// newJob makes a job of a form; the status goes with the error.
func (s *Server) newJob(form url.Values) (*job, int, error) {
	cmd := form.Get("cmd")
	if cmd == "" {
		return nil, http.StatusBadRequest, errors.New("requires 'cmd' parameter")
	}
	sys := form.Get("mode") == "sys"
	path, status, err := s.findCommand(cmd, sys)
	if err != nil {
		return nil, status, fmt.Errorf("invalid 'cmd' parameter: %w", err)
	}
	dir, err := s.commandDir(form.Get("dir"), path, sys)
	if err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("invalid 'dir' parameter: %w", err)
	}
	debug, _ := strconv.ParseBool(form.Get("debug"))
	j := &job{path: path, args: form["cmdArg"], dir: dir, debug: debug, cookie: cookieName + "=" + rand.Text()}
	j.env = append(s.environ(form["env"], form["path"], dir), j.cookie)
	j.firewall, _ = strconv.ParseBool(lookup(form["env"], "GO_DISABLE_OUTBOUND_NETWORK"))
	return j, 0, nil
}

// cookieName is the variable by which the processes of a job are found again.
const cookieName = "GOBUILD_EXEC_ID"

// run runs a job to its end and returns its Process-State. When ctx ends, or
// the output cannot be sent any more, the job is killed. In any case all that
// it has started is dead when run returns. endInput makes a read from stdin
// return.
func (s *Server) run(ctx context.Context, cancel context.CancelFunc, j *job, stdin io.Reader, out io.Writer, endInput func()) string {
	cmd := exec.Command(j.path, j.args...)
	cmd.Env, cmd.Dir = j.env, j.dir
	outR, outW, err := os.Pipe()
	if err != nil {
		return err.Error()
	}
	defer outR.Close()
	cmd.Stdout, cmd.Stderr = outW, outW
	var inR, inW *os.File
	if stdin != nil {
		if inR, inW, err = os.Pipe(); err != nil {
			outW.Close()
			return err.Error()
		}
		cmd.Stdin = inR
	}
	group := newGroup(cmd, j.cookie)
	err = startJob(cmd, j.firewall, out)
	outW.Close()
	if inR != nil {
		inR.Close()
	}
	if err == nil {
		err = group.started()
		if err != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	if err != nil {
		if inW != nil {
			inW.Close()
		}
		return startError(err)
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		if _, err := io.Copy(out, outR); err != nil {
			cancel() // nobody listens any more
			io.Copy(io.Discard, outR)
		}
	}()
	fed := make(chan struct{})
	if inW != nil {
		go func() {
			defer close(fed)
			io.Copy(inW, stdin)
			inW.Close()
		}()
	} else {
		close(fed)
	}
	stopKill := context.AfterFunc(ctx, group.kill)
	waitErr := group.wait() // whatever the command has left behind ends with it
	stopKill()
	if left := group.sweep(); len(left) > 0 {
		s.log.Error("processes of a command survive it", "cmd", j.path, "pids", left)
	}
	if inW != nil {
		inW.Close() // a feeder that waits for room in the pipe gives up
		endInput()
		<-fed
	}
	select {
	case <-copied:
	case <-time.After(drainWait):
		outR.Close() // somebody that cannot be killed holds the pipe
		<-copied
	}
	group.close()
	if waitErr != nil {
		return startError(waitErr)
	}
	return "ok"
}

// startError returns the text of an error of a command's start or end, on one
// line, as it goes into a trailer.
func startError(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
