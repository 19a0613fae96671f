package rehearse

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stopWait is how long a process may take to end when it is asked to.
const stopWait = 15 * time.Second

// process is a part of the farm that goes on running.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   logBuffer
	ended chan struct{} // closed when it has ended
}

// command returns a command of the program, in the rehearsal's environment.
func (r *run) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.opts.Program, args...)
	cmd.Dir = r.dir
	cmd.Env = r.env
	cmd.WaitDelay = 5 * time.Second
	dieWithParent(cmd)
	return cmd
}

// start starts a part of the farm; it runs until the rehearsal ends.
func (r *run) start(name string, args ...string) (*process, error) {
	p := &process{name: name, cmd: r.command(context.Background(), args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	r.kids = append(r.kids, p)
	return p, nil
}

// await calls ready every few milliseconds until it returns true. It fails
// when ctx ends or the process does.
func (p *process) await(ctx context.Context, ready func() bool) error {
	for {
		if ready() {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the %s ended (%v): %s", p.name, p.cmd.ProcessState, tail(p.log.String(), 5))
		case <-ctx.Done():
			return fmt.Errorf("%w; the %s said: %s", context.Cause(ctx), p.name, tail(p.log.String(), 5))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// wait waits for ctx's end. It fails if a part of the farm ends before.
func (r *run) wait(ctx context.Context) error {
	ended := make(chan *process, len(r.kids))
	for _, p := range r.kids {
		go func() {
			<-p.ended // at the latest when the rehearsal stops it
			ended <- p
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case p := <-ended:
		return fmt.Errorf("the %s ended (%v): %s", p.name, p.cmd.ProcessState, tail(p.log.String(), 5))
	}
}

// stop asks the process to end, and kills it if it does not.
func (p *process) stop() {
	if p.cmd.Process.Signal(os.Interrupt) != nil {
		p.cmd.Process.Kill() // there is no such signal here, or it has ended
	}
	select {
	case <-p.ended:
	case <-time.After(stopWait):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// logBuffer keeps what a process prints. It is safe for several goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// field returns the value of key in the last log line that has it, or "".
func (b *logBuffer) field(key string) string {
	text := b.String()
	i := strings.LastIndex(text, " "+key+"=")
	if i < 0 {
		return ""
	}
	value, _, whole := strings.Cut(text[i+len(key)+2:], "\n")
	if !whole {
		return "" // the line is not complete yet
	}
	if quoted, err := strconv.QuotedPrefix(value); err == nil {
		value, _ = strconv.Unquote(quoted)
		return value
	}
	value, _, _ = strings.Cut(value, " ")
	return value
}
