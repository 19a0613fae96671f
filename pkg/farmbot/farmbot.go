// Package farmbot keeps a machine in the pool of a coordinator: it runs a
// buildlet under pkg/supervise, knows how that is and whether the machine is
// fit for work, keeps the work directory within bounds, and does what the
// owner wishes by "gobuild drain", "pause" and "resume".
//
// A gobuild buildlet tells how it is by itself (buildlet.Report) and takes
// orders. Upstream's can be run as well: how it is comes from its log then, and
// what it is to keep away from it is ended for.
//
// In the work directory lie: work, which the buildlet works in and which may be
// emptied at any time; state, with the control socket and what the owner
// wishes; lock; and a fetched buildlet.
package farmbot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gobuild/pkg/account"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/hint"
	"gobuild/pkg/memtrim"
	"gobuild/pkg/netdial"
	"gobuild/pkg/supervise"
	"gobuild/pkg/supervise/control"
)

// DefaultStopWait is how long a buildlet may take to end: it kills what runs.
const DefaultStopWait = 30 * time.Second

// Updater fetches the buildlet that is to run. pkg/stage0 has one.
type Updater interface {
	// File is where the program lies.
	File() string
	// Fetch fetches a newer one, if there is one, checks it and puts it in
	// place.
	Fetch(ctx context.Context) (updated bool, version string, err error)
	// Confirmed reports whether the one in place is known to be good.
	Confirmed() bool
	// Confirm says that it is.
	Confirm() error
	// RollBack puts the one before in place, and has this one not fetched
	// again.
	RollBack(why string) error
}

// Options say which machine works for whom, and how.
type Options struct {
	// HostType and Hostname are what the machine registers as.
	HostType, Hostname string
	// Coordinator is the address, HOST:PORT.
	Coordinator string
	// Dir is the directory that all is kept in.
	Dir string
	// Program is the command line, without arguments, of a gobuild buildlet;
	// Args are arguments for it besides those that the supervisor needs.
	Program []string
	Args    []string
	// File is a buildlet to run in place of Program: gobuild's, or upstream's.
	File string
	// KeyFile is where the builder key lies, for upstream's buildlet.
	KeyFile string
	// User, if not empty, is the user that a gobuild buildlet becomes once it
	// has read the builder key. This process has to be root's: what is built
	// can neither read the key nor give orders to it.
	User string
	// Trusted are files besides, by which this process goes: User must not be
	// able to change them.
	Trusted []string
	// Update fetches the buildlet to run in place of Program and File; nil for
	// none. It is asked before each start, and every UpdateEvery.
	Update      Updater
	UpdateEvery time.Duration
	// RegisterWithin is how long a fetched buildlet may take to register
	// before the one before it is put back.
	RegisterWithin time.Duration
	// Dialer is for the look whether the coordinator can be reached.
	Dialer *netdial.Dialer
	// MinFreeDisk and MinFreeMemory are without what the machine takes no
	// work. The zero Amount is DefaultFreeDisk for the disk, and nothing for
	// memory.
	MinFreeDisk, MinFreeMemory Amount
	// MaxWorkDir is how many bytes the work directory may hold between two
	// instances; 0 for any number.
	MaxWorkDir int64
	// MaxProcesses is how many processes the buildlet and all it runs may be;
	// 0 for any number.
	MaxProcesses int
	// BuildEnv is KEY=VALUE for what is built.
	BuildEnv []string
	// Once has the program run once, whatever its end.
	Once bool

	// The rest is supervise's.
	StopWait time.Duration
	Settle   time.Duration
	Backoff  supervise.Backoff
	Notices  supervise.Notices
	Output   io.Writer // what the buildlet logs
	Getenv   func(string) string
	Environ  []string
	Log      *slog.Logger

	// Clock tells the time of day, by which a pause ends; nil means time.Now.
	// Nothing else goes by it: what is as long as it is, is measured between
	// two values of time.Now and by timers, and both are the system's monotonic
	// clock, which nobody sets.
	Clock func() time.Time
}

// Bot is a machine in a farm.
type Bot struct {
	*supervise.Supervisor
	opts    Options
	work    string           // where the buildlet works
	state   string           // the state directory
	user    *account.Account // the buildlet's; nil for this process's
	mark    string
	release func()
	kick    chan struct{} // something has changed; has room for one
	began   time.Time

	mu      sync.Mutex
	wish    control.Wish
	stays   bool         // drained before this start: stays, without work
	other   bool         // the program is not a gobuild buildlet: it takes no orders
	deaf    bool         // the coordinator cannot be told that the machine takes no work
	version string       // of the program
	gate    string       // why the machine is not fit
	clean   string       // why the work directory is swept now
	update  string       // what the buildlet ends for
	limit   string       // how the number of processes is limited
	run     run          // the program that runs
	asked   control.Wish // the last wish that came through the coordinator
	dead    bool         // the last phase was Dead
	finish  func()       // ends Run
	sweeps  int
	swept   int64 // bytes
	kills   int   // because of MaxProcesses
	failed  int   // times in a row that an unconfirmed program ended without registering
	checked time.Time
}

// New checks what does not change by itself, takes the directory for this
// process, and reads what is wished. Close gives the directory back.
func New(opts Options) (*Bot, error) {
	if err := complete(&opts); err != nil {
		return nil, err
	}
	b := &Bot{
		opts: opts, kick: make(chan struct{}, 1), began: time.Now(),
		work:  filepath.Join(opts.Dir, "work"),
		state: StateDir(opts.Dir),
	}
	for _, check := range []func() error{b.lookUpUser, b.ours, b.checkApart} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{opts.Dir, b.work} {
		if err := b.makeDir(dir); err != nil {
			return nil, hint.With(fmt.Errorf("work directory: %w", err), "let this user make it, or give another with --workdir")
		}
	}
	if err := b.checkOpen(); err != nil {
		return nil, err
	}
	if err := control.MakeDir(b.state); err != nil {
		return nil, err
	}
	lock := filepath.Join(opts.Dir, "lock")
	release, err := supervise.Lock(lock)
	if err == nil && b.user != nil {
		err = os.Chmod(lock, 0o600) // who can read it can lock it
	}
	if err != nil {
		return nil, err
	}
	b.release = release
	b.loadWish()
	b.gate = b.unfit()
	for _, text := range b.blind() {
		opts.Log.Warn(text)
	}
	sum := sha256.Sum256([]byte(opts.Dir))
	// The buildlet hands this on to what it runs; it keeps back GOBUILD_*.
	b.mark = "RUN_BOT_OF=" + opts.Getenv("RUN_BOT_OF") + "/" + hex.EncodeToString(sum[:12])
	b.Supervisor = supervise.New(supervise.Options{
		Name:     "buildlet " + opts.Hostname,
		Mark:     b.mark,
		Prepare:  b.prepare,
		Started:  b.started,
		Judge:    b.judge,
		Hold:     b.hold,
		Facts:    b.facts,
		StopWait: opts.StopWait,
		Settle:   opts.Settle,
		Backoff:  opts.Backoff,
		Notices:  opts.Notices,
		Getenv:   opts.Getenv,
		Log:      opts.Log,
	})
	return b, nil
}

// ours refuses a work directory that somebody else has filled: the buildlet's
// is emptied at each start.
func (b *Bot) ours() error {
	if _, err := os.Lstat(filepath.Join(b.opts.Dir, "lock")); err == nil {
		return nil
	}
	if entries, err := os.ReadDir(b.work); err != nil || len(entries) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s is there, is not empty, and no run-bot has made it: what is in it would be deleted", b.work),
		"give another directory with --workdir, or move that one away")
}

// StateDir returns the state directory of a machine that works in dir.
func StateDir(dir string) string { return filepath.Join(dir, "state") }

// Close gives the directory back.
func (b *Bot) Close() { b.release() }

// complete fills in what was left out.
func complete(o *Options) error {
	switch {
	case o.HostType == "":
		return hint.With(errors.New("the machine has no host type"), "give the one that the farm's maintainer has made the builder key for, with --host-type")
	case o.Hostname == "":
		return hint.With(errors.New("the machine has no name"), "give one with --hostname")
	}
	if err := checkEnv(o.BuildEnv); err != nil {
		return err
	}
	if o.StopWait == 0 {
		o.StopWait = DefaultStopWait
	}
	if o.Backoff == (supervise.Backoff{}) {
		o.Backoff = supervise.DefaultBackoff
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	for _, name := range []*string{&o.Dir, &o.File, &o.KeyFile} {
		if *name == "" {
			continue
		}
		abs, err := filepath.Abs(*name)
		if err != nil {
			return err
		}
		*name = abs
	}
	return nil
}

// Run keeps the machine in the pool until ctx ends, or until it is drained.
func (b *Bot) Run(ctx context.Context) error {
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	// Who asks waits for the lock. What was kept since New has looked, because
	// nobody answered yet, is found now.
	b.mu.Lock()
	b.finish = finish
	stop, err := control.Serve(b.state, b)
	if err == nil {
		b.loadWish()
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	defer stop()
	var tending sync.WaitGroup
	defer tending.Wait()
	tendCtx, stopTending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTending()
	tending.Go(func() { b.tend(tendCtx) })
	tending.Go(func() { memtrim.WhileIdle(tendCtx, b.idle) })
	if b.opts.Once {
		return b.Supervisor.RunOnce(ctx)
	}
	return b.Supervisor.Run(ctx)
}

// idle reports whether the machine only waits.
func (b *Bot) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.run.working()
}

// changed has tend look at once.
func (b *Bot) changed() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// facts are what the status page shows besides.
func (b *Bot) facts() []supervise.Fact {
	b.mu.Lock()
	defer b.mu.Unlock()
	facts := []supervise.Fact{
		{Name: "coordinator", Text: b.opts.Coordinator},
		{Name: "host type", Text: b.opts.HostType},
		{Name: "host name", Text: b.opts.Hostname},
		{Name: "work directory", Text: b.opts.Dir},
		{Name: "builds run as", Text: b.builder()},
		{Name: "wished", Text: b.wished().String()},
	}
	if b.version != "" {
		facts = append(facts, supervise.Fact{Name: "buildlet", Text: b.version})
	}
	if r := b.run.report; r != nil {
		if !r.Registered.IsZero() {
			facts = append(facts, supervise.Fact{Name: "in the pool since", Text: r.Registered.UTC().Format("2006-01-02 15:04:05 MST"),
				Metric: "registered_seconds", Value: float64(r.Registered.Unix())})
		}
		if r.Instance != "" {
			facts = append(facts, supervise.Fact{Name: "instance", Text: r.Instance})
		}
		facts = append(facts,
			supervise.Fact{Name: "running commands", Text: fmt.Sprint(r.Commands), Metric: "commands", Value: float64(r.Commands)},
			supervise.Fact{Name: "strays of commands killed", Help: "processes that outlived a command or an instance and were killed", Text: fmt.Sprint(r.Strays), Metric: "command_strays", Value: float64(r.Strays)})
	}
	if free, ok := freeDisk(b.opts.Dir); ok {
		facts = append(facts, supervise.Fact{Name: "free disk", Help: "bytes of disk that are free", Text: Size(free), Metric: "disk_free_bytes", Value: float64(free)})
	}
	if free, ok := freeMemory(); ok {
		facts = append(facts, supervise.Fact{Name: "available memory", Help: "bytes of memory that are available", Text: Size(free), Metric: "memory_available_bytes", Value: float64(free)})
	}
	facts = append(facts, supervise.Fact{Name: "swept out", Help: "bytes swept out of the work directory", Text: Size(b.swept), Metric: "swept_bytes", Value: float64(b.swept)})
	if b.limit != "" {
		facts = append(facts,
			supervise.Fact{Name: "limit of processes", Text: b.limit},
			supervise.Fact{Name: "kills for the limit", Help: "times that the processes were too many and were killed", Text: fmt.Sprint(b.kills), Metric: "process_limit_kills", Value: float64(b.kills)})
	}
	return facts
}

// wished returns what is wished at this time of day. The lock is held.
func (b *Bot) wished() control.Wish { return b.wish.At(b.opts.Clock()) }

// availability returns what the buildlet is to say to coordinators. The lock
// is held.
func (b *Bot) availability() buildlet.Availability {
	w := b.wished()
	a := buildlet.Availability(w)
	switch {
	case b.update != "":
		return buildlet.Availability{State: buildlet.Draining, Why: b.update}
	case w.State == control.Draining && b.stays:
		a.State = buildlet.Paused
		if a.Why == "" {
			a.Why = "drained; gobuild resume has it work again"
		}
	case w.State != control.Open:
	case b.clean != "":
		a = buildlet.Availability{State: buildlet.Quarantined, Why: b.clean}
	case b.gate != "":
		a = buildlet.Availability{State: buildlet.Quarantined, Why: b.gate}
	}
	return a
}
