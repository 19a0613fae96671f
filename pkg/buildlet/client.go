package buildlet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gobuild/pkg/plain"
)

// Limits of a Client's waits and of what it keeps of an answer.
const (
	// headerWait is how long an answer's header may take. Upstream's client
	// gives 20 s; a proxy between and a slow board's TLS handshake for a new
	// data connection need more.
	headerWait = 60 * time.Second
	// settleWait is how long the answer to an upload may take after its last
	// byte: the time to unpack and close what was sent.
	settleWait = 10 * time.Minute
	// stallWait ends a transfer in which no byte moves.
	stallWait = 2 * time.Minute
	// maxErrorText is how much of an error's body is kept, in bytes.
	maxErrorText = 4 << 10
	// maxListLine is the longest line of a listing, in bytes.
	maxListLine = 1 << 20
	// maxAdditions is how many additions are listened to, and maxWorkDir the
	// longest path of a work directory, in bytes; Windows has 32767 characters.
	maxAdditions = 50
	maxWorkDir   = 64 << 10
)

// AdditionStdin is the addition that lets a command read standard input.
const AdditionStdin = "stdin"

// Client works on one buildlet, ours or upstream's, through its HTTP API
// (build protocol, section 3), directly or through a coordinator. It is safe
// for use by several goroutines.
//
// Every method ends when its context does. What the buildlet refuses comes
// back as *StatusError, unless ClientOptions.Refused makes another of it.
type Client struct {
	base string
	opts ClientOptions
}

// ClientOptions are what a Client needs besides an address.
type ClientOptions struct {
	// HTTP sends the requests; nil means http.DefaultClient. It must not
	// have a Timeout, which would cut streams.
	HTTP *http.Client
	// User and Password are sent by HTTP Basic if Password is not empty.
	User, Password string
	// Refused makes an error of an answer with a status other than 200 and
	// the beginning of its body. Where it is nil or returns nil, the error is
	// a *StatusError.
	Refused func(resp *http.Response, body []byte) error
}

// NewClient returns a client for the buildlet at base, a URL with or without
// a path, without calling it.
func NewClient(base string, opts ClientOptions) *Client {
	if opts.HTTP == nil {
		opts.HTTP = http.DefaultClient
	}
	return &Client{base: strings.TrimRight(base, "/"), opts: opts}
}

// StatusError is an answer other than 200.
type StatusError struct {
	Op     string // what was tried, as "PUT /write"
	Status int    // HTTP status
	Text   string // first 4 KiB of the body, trimmed
	read   bool   // the buildlet has AdditionRead
}

// Error says what was tried and what came back.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: the buildlet answered %d %s: %s", e.Op, e.Status, http.StatusText(e.Status), e.Text)
}

// Status is what a buildlet says of itself.
type Status struct {
	Version   int      // of the protocol; all that upstream's buildlet says
	Program   string   // name and version of the program; empty: upstream's
	GOOS      string   // of the machine; empty: upstream's
	GOARCH    string   // of the machine; empty: upstream's
	Additions []string // what it can do beyond upstream's protocol
	// Availability is whether it takes work (AdditionAvailability).
	Availability Availability `json:",omitzero"`
	// Strays counts the processes that outlived their instance and were
	// killed.
	Strays int `json:",omitempty"`
}

// Has reports whether the buildlet announces the addition name.
func (s Status) Has(name string) bool { return slices.Contains(s.Additions, name) }

// Status asks what the buildlet is. A peer that knows of no additions ignores
// the query and answers with its version alone.
func (c *Client) Status(ctx context.Context) (Status, error) {
	body, err := c.small(ctx, "GET", "/status?gobuild=1")
	if err != nil {
		return Status{}, err
	}
	var s Status
	if err := json.Unmarshal(body, &s); err != nil {
		return Status{}, fmt.Errorf("GET /status: %w", err)
	}
	s.Program, s.GOOS, s.GOARCH = plain.Line(s.Program, maxBy), plain.Line(s.GOOS, maxName), plain.Line(s.GOARCH, maxName)
	s.Additions = s.Additions[:min(len(s.Additions), maxAdditions)]
	for i, name := range s.Additions {
		s.Additions[i] = plain.Line(name, maxName)
	}
	s.Availability = clipped(s.Availability)
	return s, nil
}

// WorkDir returns the absolute path of the work directory, in the notation of
// the machine.
func (c *Client) WorkDir(ctx context.Context) (string, error) {
	body, err := c.small(ctx, "GET", "/workdir")
	if len(body) > maxWorkDir {
		return "", fmt.Errorf("GET /workdir: the buildlet names a directory of %d bytes", len(body))
	}
	return string(body), err
}

// Halt tells the buildlet to end. A buildlet of upstream's that was started
// with its default flags then powers its machine off.
func (c *Client) Halt(ctx context.Context) error {
	_, err := c.small(ctx, "POST", "/halt")
	return err
}

// RemoveAll removes paths, relative to the work directory, with all they
// contain. The path "." empties the work directory.
func (c *Client) RemoveAll(ctx context.Context, paths ...string) error {
	return c.form(ctx, "/removeall", url.Values{"path": paths})
}

// PutTarURL makes the buildlet fetch a tar.gz and unpack it below dir.
func (c *Client) PutTarURL(ctx context.Context, tarURL, dir string) error {
	return c.form(ctx, "/writetgz?"+url.Values{"dir": {dir}}.Encode(), url.Values{"url": {tarURL}})
}

// Put writes r to the file path with exactly the permission bits of mode.
func (c *Client) Put(ctx context.Context, r io.Reader, path string, mode fs.FileMode) error {
	q := url.Values{"path": {path}, "mode": {strconv.FormatUint(uint64(mode), 10)}}
	return c.upload(ctx, "/write?"+q.Encode(), r)
}

// PutTar unpacks r, a tar.gz, below dir; an empty dir is the work directory.
func (c *Client) PutTar(ctx context.Context, r io.Reader, dir string) error {
	return c.upload(ctx, "/writetgz?"+url.Values{"dir": {dir}}.Encode(), r)
}

// GetTar returns a tar.gz of what lies below dir; "." is the work directory.
// A stream that breaks off ends in an error other than io.EOF. The caller
// closes it.
func (c *Client) GetTar(ctx context.Context, dir string) (io.ReadCloser, error) {
	return c.download(ctx, "/tgz?"+url.Values{"dir": {dir}}.Encode())
}

// ListOptions say what List shows.
type ListOptions struct {
	Recursive bool     // below directories too
	Digest    bool     // with SHA-1 digests
	Skip      []string // directories to leave out, relative, with slashes
}

// List calls fn for each entry below dir in lexical order; an empty dir is
// the work directory. It ends early with fn's error, if that is not nil.
func (c *Client) List(ctx context.Context, dir string, opts ListOptions, fn func(Entry) error) error {
	q := url.Values{
		"dir":       {dir},
		"recursive": {strconv.FormatBool(opts.Recursive)},
		"digest":    {strconv.FormatBool(opts.Digest)},
		"skip":      opts.Skip,
	}
	body, err := c.download(ctx, "/ls?"+q.Encode())
	if err != nil {
		return err
	}
	defer body.Close()
	sc := bufio.NewScanner(body)
	sc.Buffer(nil, maxListLine)
	for sc.Scan() {
		e, err := parseEntry(sc.Text())
		if err != nil {
			return fmt.Errorf("GET /ls: %w", err)
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("GET /ls: the listing broke off: %w", err)
	}
	return nil
}

// ExecOptions say how a command is run (build protocol, section 3.7).
type ExecOptions struct {
	Dir         string    // working directory; default: the command's, or the work directory if SystemLevel
	Args        []string  // arguments, without the command's name
	Env         []string  // KEY=VALUE, added to the buildlet's environment
	Path        []string  // elements of PATH, with $PATH and $WORKDIR; nil: unchanged; empty: an empty PATH
	SystemLevel bool      // the command is not looked for in the work directory
	Debug       bool      // the output begins with what is run
	Stdin       io.Reader // standard input; needs AdditionStdin; nil: empty
	Output      io.Writer // gets standard output and error as they come; nil: dropped
	OnStart     func()    // called when the buildlet has taken the command; may be nil
}

// Exec runs cmd and waits for its end. The error tells whether it could be
// run and seen to its end; how it ended is in the ExitState. When ctx ends,
// the connection is closed, upon which the buildlet kills the command.
func (c *Client) Exec(ctx context.Context, cmd string, opts ExecOptions) (ExitState, error) {
	form := opts.form(cmd)
	body, contentType := io.Reader(strings.NewReader(form.Encode())), formType
	if opts.Stdin != nil {
		pr, pw := io.Pipe()
		defer pr.Close() // frees the writer below
		mw := multipart.NewWriter(pw)
		contentType = mw.FormDataContentType()
		go func() { pw.CloseWithError(writeStdinForm(mw, form, opts.Stdin)) }()
		body = pr
	}
	resp, err := c.do(ctx, "POST", "/exec", contentType, body, headerWait)
	if err != nil {
		return ExitState{}, err
	}
	defer resp.Body.Close()
	if opts.OnStart != nil {
		opts.OnStart()
	}
	out := opts.Output
	if out == nil {
		out = io.Discard
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return ExitState{}, fmt.Errorf("output of %s broke off before the command's end: %w", cmd, err)
	}
	state := resp.Trailer.Get("Process-State")
	if state == "" {
		return ExitState{}, fmt.Errorf("the buildlet lost sight of %s: its answer ended without the trailer Process-State", cmd)
	}
	return ExitState{state}, nil
}

func (opts ExecOptions) form(cmd string) url.Values {
	path := opts.Path
	if path != nil && len(path) == 0 {
		path = []string{"$EMPTY"} // a form cannot tell an empty list from none
	}
	form := url.Values{
		"cmd":    {cmd},
		"dir":    {opts.Dir},
		"cmdArg": opts.Args,
		"env":    opts.Env,
		"path":   path,
		"debug":  {strconv.FormatBool(opts.Debug)},
	}
	if opts.SystemLevel {
		form.Set("mode", "sys")
	}
	return form
}

// writeStdinForm writes the two parts of an exec with standard input.
func writeStdinForm(mw *multipart.Writer, form url.Values, stdin io.Reader) error {
	w, err := mw.CreateFormField("form")
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, form.Encode()); err != nil {
		return err
	}
	if w, err = mw.CreateFormField("stdin"); err != nil {
		return err
	}
	if _, err := io.Copy(w, stdin); err != nil {
		return err
	}
	return mw.Close()
}

const formType = "application/x-www-form-urlencoded"

// small sends a request with an answer of a few bytes and returns that.
func (c *Client) small(ctx context.Context, method, path string) ([]byte, error) {
	resp, err := c.do(ctx, method, path, "", nil, headerWait)
	if err != nil {
		return nil, err
	}
	body := newStallBody(resp.Body)
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxListLine))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op(method, path), err)
	}
	return text, nil
}

// form posts a form whose work may take its time.
func (c *Client) form(ctx context.Context, path string, form url.Values) error {
	resp, err := c.do(ctx, "POST", path, formType, strings.NewReader(form.Encode()), settleWait)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// upload sends r and waits for the answer, as long as bytes move. It ends with
// ctx even while a read from r hangs, as one from a terminal may.
func (c *Client) upload(ctx context.Context, path string, r io.Reader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	guard := &stallReader{r: r, timer: time.AfterFunc(stallWait, func() {
		cancel(fmt.Errorf("no byte moved for %s", stallWait))
	})}
	defer guard.timer.Stop()
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		_, err := io.Copy(pw, guard)
		pw.CloseWithError(err)
	}()
	stop := context.AfterFunc(ctx, func() { pr.CloseWithError(context.Cause(ctx)) })
	defer stop()
	resp, err := c.do(ctx, "PUT", path, "", pr, 0)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// download returns the body of an answer, to be read as long as bytes move.
func (c *Client) download(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.do(ctx, "GET", path, "", nil, headerWait)
	if err != nil {
		return nil, err
	}
	return newStallBody(resp.Body), nil
}

// do sends a request and returns an answer with status 200. If wait is not 0,
// the header has to come within it.
func (c *Client) do(ctx context.Context, method, path, contentType string, body io.Reader, wait time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.opts.Password != "" {
		req.SetBasicAuth(c.opts.User, c.opts.Password)
	}
	if wait > 0 {
		timer := time.AfterFunc(wait, func() { cancel(fmt.Errorf("no answer within %s", wait)) })
		defer timer.Stop()
	}
	resp, err := c.opts.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel(nil)
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // its text repeats the URL, with all arguments
		}
		return nil, fmt.Errorf("%s: %w", op(method, path), err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
		resp.Body.Close()
		cancel(nil)
		if c.opts.Refused != nil {
			if err := c.opts.Refused(resp, text); err != nil {
				return nil, err
			}
		}
		return nil, &StatusError{Op: op(method, path), Status: resp.StatusCode, Text: string(bytes.TrimSpace(text)), read: resp.Header.Get(modeHeader) != ""}
	}
	resp.Body = &cancelBody{resp.Body, cancel}
	return resp, nil
}

// op names a request in errors, without its query.
func op(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	return method + " " + path
}

// cancelBody frees a request's context when its answer is closed.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *cancelBody) Close() error {
	b.cancel(nil)
	return b.ReadCloser.Close()
}

// stallReader tells a timer of each read of an upload.
type stallReader struct {
	r     io.Reader
	timer *time.Timer
}

func (s *stallReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil {
		s.timer.Reset(settleWait) // what remains is the other side's work
	} else {
		s.timer.Reset(stallWait)
	}
	return n, err
}

// stallBody closes a download in which no byte moves.
type stallBody struct {
	io.ReadCloser
	timer *time.Timer
}

func newStallBody(body io.ReadCloser) *stallBody {
	return &stallBody{body, time.AfterFunc(stallWait, func() { body.Close() })}
}

func (b *stallBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.timer.Reset(stallWait) && err != nil && err != io.EOF {
		err = fmt.Errorf("no byte moved for %s: %w", stallWait, err)
	}
	return n, err
}

func (b *stallBody) Close() error {
	b.timer.Stop()
	return b.ReadCloser.Close()
}
