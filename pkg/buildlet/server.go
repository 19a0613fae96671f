package buildlet

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gobuild/pkg/hint"
)

// Version is the version of upstream's protocol that a Server speaks (build
// protocol, section 3.2).
const Version = 29

const (
	// defaultMaxUnpack is what one archive may unpack to, in bytes. A Go tree
	// with its build cache stays below a quarter of it.
	defaultMaxUnpack = 8 << 30
	// haltDelay lets the answer to /halt reach the caller (section 3.9).
	haltDelay = time.Second
	// closeWait bounds the wait for killed commands.
	closeWait = 10 * time.Second
	maxDebugX = 1 << 20 // bytes of /debug/x
	maxStacks = 2 << 20 // bytes of /debug/goroutines
)

// Options are what a Server needs.
type Options struct {
	// WorkDir is the work directory, which has to exist.
	WorkDir string
	// Password protects the server by HTTP Basic, whatever the user name;
	// empty means no protection, as in reverse mode.
	Password string
	// Program is the name and version to announce.
	Program string
	// Halt is called once, a second after the answer to /halt; nil means
	// that nothing more happens.
	Halt func()
	// Environ is the environment that commands inherit, without its secrets;
	// nil means os.Environ.
	Environ []string
	// PassEnv are the names of variables that commands inherit although they
	// look like secrets.
	PassEnv []string
	// MaxUnpack is how many bytes one archive may unpack to, with 512 for
	// each entry; 0 means 8 GiB.
	MaxUnpack int64
	// NoOutputLimit is how long a command may run without a byte of output
	// before it is killed; 0 means for ever.
	NoOutputLimit time.Duration
	// Gate says why the machine is not fit for work, or returns an empty
	// string. It is asked at each claim and heartbeat; nil means always fit.
	Gate func() (why string)
	// Log gets what happens; nil means slog.Default.
	Log *slog.Logger
}

// Server is a buildlet's HTTP API. It is safe for use by several goroutines.
type Server struct {
	opts     Options
	log      *slog.Logger
	work     string                  // absolute path of the work directory
	top      atomic.Pointer[os.Root] // see root
	mux      *http.ServeMux
	haltOnce sync.Once
	mark     string // KEY=VALUE that begins the cookie of each job
	duty     duty
	// supervised is set if a supervisor decides on the availability.
	supervised atomic.Bool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	mu     sync.Mutex
	busy   int
	closed bool
	ran    bool       // a command has run
	idle   *sync.Cond // on mu: busy has gone down
	// jobs ends when the commands that run are to be killed.
	jobs    context.Context
	endJobs context.CancelFunc
}

// New returns a Server. What it keeps for commands below the work directory
// (tmp, gocache, goplscache) is emptied; all else there stays. The error tells
// what is wrong with the directory.
func New(opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if opts.MaxUnpack == 0 {
		opts.MaxUnpack = defaultMaxUnpack
	}
	if opts.Environ == nil {
		opts.Environ = os.Environ()
	}
	work, err := filepath.Abs(opts.WorkDir)
	if err != nil {
		return nil, fmt.Errorf("work directory: %w", err)
	}
	root, err := os.OpenRoot(work)
	if err != nil {
		return nil, hint.With(fmt.Errorf("work directory: %w", err), "make the directory first; its content may be deleted at any time")
	}
	s := &Server{opts: opts, log: opts.Log, work: work}
	s.top.Store(root)
	s.idle = sync.NewCond(&s.mu)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.jobs, s.endJobs = context.WithCancel(s.ctx)
	// One server may run as a command of another, which has to find its jobs too.
	s.mark = cookieName + "=" + lookup(opts.Environ, cookieName) + rand.Text()
	now := time.Now()
	s.duty.changed = make(chan struct{})
	s.duty.state, s.duty.since = Idle, now
	s.duty.ordered = Availability{State: Open, Since: now}
	for name := range ownDirs {
		if runtime.GOOS == "plan9" {
			break // not ours there, see makeOwnDirs
		}
		if err := removeAll(root, name); err != nil {
			root.Close()
			return nil, fmt.Errorf("empty %s: %w", filepath.Join(work, name), err)
		}
	}
	if err := s.makeOwnDirs(); err != nil {
		root.Close()
		return nil, hint.With(fmt.Errorf("work directory %s: %w", work, err), "the buildlet's user has to be able to write there")
	}
	s.mux = s.routes()
	return s, nil
}

// ServeHTTP answers the requests of the protocol.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.inPlace() {
		s.remakeWorkDir()
	}
	defer s.noteUse(r)()
	s.mux.ServeHTTP(w, r)
}

// root returns the work directory, which holds all that peers can reach.
func (s *Server) root() *os.Root { return s.top.Load() }

// inPlace reports whether the work directory is still what its path names. A
// command may have removed it, or have put another in its place.
func (s *Server) inPlace() bool {
	there, err := os.Stat(s.work)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	opened, err := s.root().Stat(".")
	return err != nil || os.SameFile(there, opened)
}

// remakeWorkDir makes the work directory anew, or opens the new one. If it
// cannot, what needs the directory will say so.
func (s *Server) remakeWorkDir() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if err := os.Mkdir(s.work, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return
	}
	if root, err := os.OpenRoot(s.work); err == nil {
		s.top.Store(root) // requests under way may still use the old one
		s.log.Warn("the work directory was removed and is made anew", "dir", s.work)
	}
}

// Busy returns how many commands run now.
func (s *Server) Busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

// Close kills the commands that run, with all that they have started, waits
// until they are dead, and frees the work directory. New commands are refused.
func (s *Server) Close() error {
	s.mu.Lock()
	again, ran := s.closed, s.ran
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	busy := s.awaitIdle()
	if !again && ran {
		if left := s.sweepStrays(); len(left) > 0 {
			s.log.Warn("processes have outlived their commands", "strays", describeStrays(left))
		}
	}
	err := s.root().Close()
	if busy > 0 {
		err = errors.Join(err, fmt.Errorf("%d commands are still there %s after they were killed", busy, closeWait))
	}
	return err
}

// killCommands kills the commands that run and waits until they are dead.
func (s *Server) killCommands() {
	s.mu.Lock()
	s.endJobs()
	s.jobs, s.endJobs = context.WithCancel(s.ctx)
	s.mu.Unlock()
	if left := s.awaitIdle(); left > 0 {
		s.log.Error("commands are still there after they were killed", "commands", left)
	}
}

// awaitIdle waits until no command runs, for closeWait at most, and returns
// how many still do.
func (s *Server) awaitIdle() (busy int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := false
	timer := time.AfterFunc(closeWait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		late = true
		s.idle.Broadcast()
	})
	defer timer.Stop()
	for s.busy > 0 && !late {
		s.idle.Wait()
	}
	return s.busy
}

// enter counts a command and returns the context that kills it; ok is false
// once the server is closed.
func (s *Server) enter() (jobs context.Context, ok bool) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false
	}
	s.busy++
	s.ran = true
	jobs = s.jobs
	s.mu.Unlock()
	s.duty.change(func() {})
	return jobs, true
}

func (s *Server) leave() {
	s.mu.Lock()
	s.busy--
	s.idle.Broadcast()
	s.mu.Unlock()
	s.duty.change(func() {
		if !s.duty.linked || s.duty.link.Up { // else its caller has gone
			s.duty.used = time.Now()
		}
	})
}

// routes is the table of the protocol.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{ // see ForCoordinator
		"/claim":        s.serveClaim,
		"/release":      s.serveRelease,
		"/availability": s.serveAvailability,
	} {
		mux.Handle(path, s.protected(handler))
	}
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "buildlet running on %s-%s\n", runtime.GOOS, runtime.GOARCH)
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })
	for path, handler := range map[string]http.HandlerFunc{
		"/status":           s.serveStatus,
		"/workdir":          func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.work) },
		"/write":            s.serveWrite,
		"/writetgz":         s.serveWriteTGZ,
		"/tgz":              s.serveTGZ,
		"/ls":               s.serveLs,
		"/read":             s.serveRead,
		"/exec":             s.serveExec,
		"/removeall":        s.serveRemoveAll,
		"/halt":             s.serveHalt,
		"/connect-ssh":      serveConnectSSH,
		"/debug/x":          serveDebugX,
		"/debug/goroutines": serveGoroutines,
	} {
		mux.Handle(path, s.protected(handler))
	}
	return mux
}

// protected lets requests with the right password through (section 3.10).
func (s *Server) protected(next http.Handler) http.Handler {
	if s.opts.Password == "" {
		return next
	}
	want := sha256.Sum256([]byte(s.opts.Password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(password))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			http.Error(w, "invalid password", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveStatus answers with the version alone, as upstream does, unless the
// caller asks for more.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "requires GET method", http.StatusBadRequest)
		return
	}
	s.consultGate()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.FormValue("gobuild") != "1" {
		fmt.Fprintf(w, `{"Version":%d}`, Version)
		return
	}
	report := s.Report()
	json.NewEncoder(w).Encode(Status{
		Version: Version, Program: s.opts.Program,
		GOOS: runtime.GOOS, GOARCH: runtime.GOARCH,
		Additions:    []string{AdditionRead, AdditionStdin, AdditionClaim, AdditionAvailability},
		Availability: report.Availability,
		Strays:       report.Strays,
	})
}

func (s *Server) serveHalt(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "requires POST method", http.StatusBadRequest)
		return
	}
	s.log.Info("told to halt", "addr", r.RemoteAddr)
	s.haltOnce.Do(func() {
		if s.opts.Halt != nil {
			time.AfterFunc(haltDelay, s.opts.Halt)
		}
	})
}

func serveConnectSSH(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "connect-ssh: this buildlet has no ssh server", http.StatusNotImplemented)
}

func serveDebugX(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.FormValue("n"), 10, 64)
	if err != nil || n < 0 {
		http.Error(w, "bad 'n' parameter", http.StatusBadRequest)
		return
	}
	io.WriteString(w, strings.Repeat("X", int(min(n, maxDebugX))))
}

func serveGoroutines(w http.ResponseWriter, r *http.Request) {
	buf := make([]byte, maxStacks)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(buf[:runtime.Stack(buf, true)])
}
