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
	"sync/atomic"
	"time"

	"gobuild/pkg/plain"
	"gobuild/pkg/supervise"
)

const (
	// maxForm bounds the form of an exec, in bytes.
	maxForm = 10 << 20
	// drainWait and drainBytes bound what is waited for and read of the
	// output of a command that has ended. Only a process that could not be
	// killed keeps it from ending at once; what the command itself has
	// written is in the pipe, which holds no more than that.
	drainWait  = 5 * time.Second
	drainBytes = 1 << 20
	// stopWait is how long a read of standard input that is under way when
	// the command ends may go on. A read that is cut off makes net/http close
	// the connection on what the caller still sends, which resets it, and the
	// answer may be lost with it.
	stopWait = 50 * time.Millisecond
	// lingerWait is how long such a caller has to take the answer.
	lingerWait = time.Second
	// aheadChunk bytes at a time, of which aheadChunks at most are kept, is
	// how standard input is read ahead: 4 MiB. A multipart.Part gives no more
	// than that at once.
	aheadChunk  = 4 << 10
	aheadChunks = 1024
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
	jobs, ok := s.enter()
	if !ok {
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
	stop := context.AfterFunc(jobs, func() {
		cancel()
		rc.SetWriteDeadline(time.Now().Add(closeWait / 2)) // the caller may not read
	})
	defer stop()
	began := time.Now()
	state := s.run(ctx, cancel, job, stdin, &flushWriter{w, rc}, func(wait time.Duration) {
		rc.SetReadDeadline(time.Now().Add(wait))
	})
	if jobs.Err() != nil && state != "ok" {
		// Without a trailer the caller takes it for a lost buildlet, not for
		// a command that has failed.
		panic(http.ErrAbortHandler)
	}
	s.log.Info("command ended", "cmd", job.path, "state", state, "took", time.Since(began).Round(time.Millisecond))
	header.Set("Process-State", state)
}

// readExecForm returns the form of an exec, and the standard input that
// follows it if the caller sends one (AdditionStdin). What stands in the
// query counts for the fields that may stand there.
func readExecForm(w http.ResponseWriter, r *http.Request) (form url.Values, stdin *partReader, err error) {
	defer func() {
		for _, field := range []string{"cmd", "mode", "dir", "debug"} {
			if values := r.URL.Query()[field]; err == nil && !form.Has(field) && values != nil {
				form[field] = values
			}
		}
	}()
	mediaType, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaType != "multipart/form-data" {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return nil, nil, err
		}
		return r.PostForm, nil, nil
	}
	body := &stoppableReader{r: r.Body}
	mr := multipart.NewReader(body, params["boundary"])
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
	return form, &partReader{mr: mr, body: body}, nil
}

// partReader reads the part "stdin" of a multipart body.
type partReader struct {
	mr   *multipart.Reader
	body *stoppableReader // below mr
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

// feed copies the standard input to in and closes that. It calls lost if the
// caller goes away on the way. As that shows only in reading, it reads ahead
// of a command that does not, and then reads the body to its end: from there
// on the connection is watched by the HTTP server.
func (p *partReader) feed(in io.WriteCloser, lost func()) {
	ahead := make(chan []byte, aheadChunks)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for chunk := range ahead {
			if _, err := in.Write(chunk); err != nil {
				break // the command reads no more, which is none of the caller's fault
			}
		}
		in.Close()
		for range ahead {
		}
	}()
	var err error
	for err == nil {
		var n int
		chunk := make([]byte, aheadChunk)
		if n, err = p.Read(chunk); n > 0 {
			ahead <- chunk[:n]
		}
	}
	close(ahead)
	if err == io.EOF {
		_, err = io.Copy(io.Discard, p.body)
	}
	if err != nil {
		lost()
	}
	<-written
}

// stoppableReader begins no further read once it is stopped.
type stoppableReader struct {
	r       io.Reader
	stopped atomic.Bool
}

func (s *stoppableReader) Read(b []byte) (int, error) {
	if s.stopped.Load() {
		return 0, errors.New("the command has ended")
	}
	return s.r.Read(b)
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
	j := &job{path: path, args: form["cmdArg"], dir: dir, debug: debug,
		cookie: s.mark + rand.Text()}
	j.env = append(s.environ(form["env"], form["path"], dir), j.cookie)
	j.firewall, _ = strconv.ParseBool(lookup(form["env"], "GO_DISABLE_OUTBOUND_NETWORK"))
	return j, 0, nil
}

// cookieName is the variable by which the processes of a job are found again.
const cookieName = "GOBUILD_EXEC_ID"

// run runs a job to its end and returns its Process-State. When ctx ends, or
// the output cannot be sent any more, the job is killed. In any case all that
// it has started is dead when run returns. readFor bounds the reading of
// stdin from then on.
func (s *Server) run(ctx context.Context, cancel context.CancelFunc, j *job, stdin *partReader, out io.Writer, readFor func(time.Duration)) string {
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
	group := supervise.NewGroup(cmd, j.cookie)
	err = startJob(cmd, j.firewall, out)
	outW.Close()
	if inR != nil {
		inR.Close()
	}
	if err == nil {
		err = group.Started()
		if err != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	if err != nil {
		if inW != nil {
			inW.Close()
		}
		return plain.Line(err.Error(), 0)
	}
	oomBefore := oomKills() // once it runs: nothing fills the memory in so short a time
	pipe := &outputPipe{f: outR}
	silence := watchSilence(s.opts.NoOutputLimit, group.Kill)
	defer silence.stop()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		if _, err := io.Copy(silence.writer(out), pipe); err != nil {
			cancel() // nobody listens any more
			io.Copy(io.Discard, pipe)
		}
	}()
	fed := make(chan struct{})
	if inW != nil {
		go func() {
			defer close(fed)
			stdin.feed(inW, cancel)
		}()
	} else {
		close(fed)
	}
	stopKill := context.AfterFunc(ctx, group.Kill)
	waitErr := group.Wait() // whatever the command has left behind ends with it
	stopKill()
	tooQuiet := silence.stop()
	if left := group.Sweep(); len(left) > 0 {
		s.log.Error("processes of a command survive it", "cmd", j.path, "pids", left)
	}
	if inW != nil {
		inW.Close() // a feeder that waits for room in the pipe gives up
		select {
		case <-fed:
		default:
			stdin.body.stopped.Store(true)
			readFor(stopWait)
			<-fed
			readFor(lingerWait)
		}
	}
	pipe.end()
	// However slow the caller is, all output goes out before the trailer. One
	// that has gone away ends this with its connection.
	<-copied
	group.Close()
	switch {
	case waitErr == nil:
		return "ok"
	case tooQuiet:
		s.log.Warn("killed for its silence", "cmd", j.path, "limit", s.opts.NoOutputLimit)
		fmt.Fprintf(out, "\ngobuild: the command was killed: it had printed nothing for %s\n", s.opts.NoOutputLimit)
		return fmt.Sprintf("%s (no output for %s)", plain.Line(waitErr.Error(), 0), s.opts.NoOutputLimit)
	}
	state := plain.Line(waitErr.Error(), 0)
	if oomKills() > oomBefore {
		s.log.Warn("the kernel killed a process for want of memory", "cmd", j.path)
		fmt.Fprint(out, "\ngobuild: while the command ran, the kernel killed a process for want of memory\n")
		if state == killedState {
			state += " (out of memory)"
		}
	}
	return state
}

// outputPipe is the reading end of a command's output. Once the command has
// ended, it waits for drainWait and reads drainBytes in all, and no more.
type outputPipe struct {
	f      *os.File
	ended  atomic.Bool
	waited time.Duration // since ended was seen
	read   int           // likewise, in bytes
}

func (p *outputPipe) Read(b []byte) (int, error) {
	ended := p.ended.Load()
	if ended {
		if p.waited >= drainWait || p.read >= drainBytes {
			return 0, io.EOF
		}
		p.f.SetReadDeadline(time.Now().Add(drainWait - p.waited))
	}
	began := time.Now()
	n, err := p.f.Read(b)
	if ended {
		p.waited += time.Since(began)
		p.read += n
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = io.EOF
	}
	return n, err
}

// end is called when the command has ended.
func (p *outputPipe) end() {
	p.ended.Store(true)
	p.f.SetReadDeadline(time.Now().Add(drainWait)) // a read may be waiting
}
