package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// defaultCoordinator is where "gobuild coordinator" listens by default.
const defaultCoordinator = "https://localhost:8119"

// app is what the commands get from outside: streams, environment, and the
// settings that hold for every command. The settings are complete when a
// command's RunE is called.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// lookupEnv is os.LookupEnv, or a test's stand-in.
	lookupEnv func(string) (string, bool)
	// isTerminal reports whether a stream is a terminal.
	isTerminal func(stream any) bool

	configFile  string // --config; empty means the default places
	coordinator string // --coordinator, as given: a URL, or HOST:PORT as upstream's programs take it
	caFile      string // --ca-file; empty means the system's roots only
	jsonOut     bool   // --json
	verbose     bool   // --verbose
	noColor     bool   // --no-color; colour is also off where a stream is no terminal, see coloured

	// running is set once a command's own code runs: what failed before it
	// was a matter of usage.
	running bool
}

// run executes the command line args and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, lookupEnv func(string) (string, bool)) int {
	return runContext(context.Background(), args, stdin, stdout, stderr, lookupEnv)
}

// runContext is run until ctx ends, which ends the command as a signal would.
func runContext(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookupEnv func(string) (string, bool)) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, lookupEnv: lookupEnv, isTerminal: isTerminal}
	ctx, stop := signalContext(ctx)
	defer stop()
	root := newRootCommand(a)
	root.SetArgs(oneDash(root, args))
	cmd, err := root.ExecuteContextC(ctx)
	return a.report(cmd, err)
}

// signalContext returns a context that SIGINT or SIGTERM cancels. From then on
// signals have their default effect, so that a second one ends the program at
// once.
func signalContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// logger returns the program's log: one line an event on stderr.
func (a *app) logger() *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// getenv returns the value of an environment variable, or "".
func (a *app) getenv(name string) string {
	value, _ := a.lookupEnv(name)
	return value
}

// coloured reports whether stream may be written to with colours: it is a
// terminal, and neither --no-color, NO_COLOR nor a dumb terminal forbids it.
func (a *app) coloured(stream any) bool {
	return !a.noColor && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && a.isTerminal(stream)
}

// isTerminal reports whether stream is a file that is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
