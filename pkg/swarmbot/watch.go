package swarmbot

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/supervise"
)

const (
	watchPause = 500 * time.Millisecond // between two looks at the log
	watchChunk = 64 << 10               // bytes read at once
	watchMost  = 1 << 20                // bytes of a log that grows faster are passed over
	maxLine    = 4 << 10                // bytes of a line that count
)

// logged is what a bot's log has told since the bot started.
type logged struct {
	signalled bool
	reboot    string    // command and reason of the reboot that it asked for
	rebootAt  time.Time // when
	program   string    // the zip that runs
	complaint string    // the last error
	second    string    // it has found another bot
	trouble   map[meaning]string
}

// worst returns why the bot does no work, or "".
func (l *logged) worst() string {
	for _, kind := range []meaning{quarantined, unwell, noEntry, unreachable, noReboot} {
		if why := l.trouble[kind]; why != "" {
			return why
		}
	}
	return ""
}

// watch reads the bot's log while the bot runs, from where it ends now.
func (b *Bot) watch(pid int) (ended func()) {
	tail := newTail(filepath.Join(b.opts.WorkDir, "logs", "swarming_bot.log"))
	stop, done := make(chan struct{}), make(chan struct{})
	b.SetTrouble(b.trouble()) // it may have printed something already
	go func() {
		defer close(done)
		defer tail.close()
		pause := time.NewTicker(watchPause)
		defer pause.Stop()
		for {
			select {
			case <-stop:
				tail.lines(b.saw) // the last words
				return
			case <-pause.C:
				tail.lines(b.saw)
				b.sawProgram(programOf(pid))
				b.SetTrouble(b.trouble()) // a token may have run out
			}
		}
	}()
	return func() {
		close(stop)
		<-done
	}
}

// saw takes note of a line that the bot has logged or printed.
func (b *Bot) saw(line string) {
	means, detail := readLine(line)
	if means == nothing {
		return
	}
	if means == ownUpdate {
		b.sawProgram(detail)
		return
	}
	b.mu.Lock()
	last := &b.known.last
	if last.trouble == nil {
		last.trouble = map[meaning]string{}
	}
	switch means {
	case quarantined, unwell, noEntry, unreachable, noReboot:
		if means == unreachable && last.trouble[noEntry] != "" {
			break // the reason is known, and better
		}
		if detail == cannotLogIn && last.trouble[unreachable] != "" {
			break // likewise; the two lines alternate
		}
		last.trouble[means] = detail
	case well:
		delete(last.trouble, unwell)
	case entered:
		delete(last.trouble, noEntry)
		delete(last.trouble, unreachable)
	case secondBot:
		last.second = detail
	case rebooting:
		last.reboot, last.rebootAt = detail, time.Now()
	case signalled:
		last.signalled = true
	case complaint:
		last.complaint = detail
	}
	b.mu.Unlock()
	switch means {
	case secondBot:
		b.opts.Log.Error("the bot is killed before it reboots this machine", "why", detail)
		b.Interrupt()
	case rebooting:
		b.opts.Log.Warn("the bot asks for a reboot", "command", detail)
	}
	b.SetTrouble(b.trouble())
}

// sawProgram takes note of the zip that the bot runs. A bot that updates or
// restarts itself keeps its process (LUCI protocol, section 9.4).
func (b *Bot) sawProgram(zip string) {
	name := filepath.Base(zip)
	if !ownZip.MatchString(name) {
		return
	}
	b.mu.Lock()
	before := b.known.last.program
	b.known.last.program = name
	changed := before != "" && before != name
	if changed {
		b.known.updates++
	}
	b.mu.Unlock()
	if changed {
		b.opts.Log.Info("the bot has updated itself", "from", before, "to", name)
	}
}

var ownZip = lazyre.New(`^swarming_bot\.[12]\.zip$`)

// programOf returns the zip in the command line of a process, where the system
// shows it as Linux does.
func programOf(pid int) string {
	line, err := atomicfile.Read(fmt.Sprintf("/proc/%d/cmdline", pid), maxLine)
	if err != nil {
		return ""
	}
	for arg := range strings.SplitSeq(string(line), "\x00") {
		if strings.HasSuffix(arg, ".zip") {
			return arg
		}
	}
	return ""
}

// judge says what the bot's end means (LUCI protocol, section 9.4).
func (b *Bot) judge(exit supervise.Exit) supervise.Verdict {
	if verdict, ok := b.wished(); ok {
		return verdict
	}
	b.mu.Lock()
	last := b.known.last
	b.mu.Unlock()
	rebooted := last.reboot != "" && time.Since(last.rebootAt) < 15*time.Minute
	switch {
	case last.second != "":
		return supervise.Verdict{Why: last.second, Failed: true}
	case rebooted:
		return supervise.Verdict{Why: "it ended for the reboot that it asked for: " + last.reboot}
	case exit.Err == nil && last.signalled:
		return supervise.Verdict{Why: "it ended because somebody sent it a signal"}
	case exit.Err == nil:
		return supervise.Verdict{Why: "it ended by itself with exit code 0: the server told it to, by a terminate task"}
	}
	why := "it crashed: " + exit.Err.Error()
	if strings.HasPrefix(exit.Err.Error(), "signal: ") {
		why = "it was killed: " + exit.Err.Error()
	}
	if last.complaint != "" {
		why += fmt.Sprintf("; its last complaint: %.300s", last.complaint)
	}
	return supervise.Verdict{Why: why, Failed: true}
}

// facts are what the status page shows besides.
func (b *Bot) facts() []supervise.Fact {
	b.mu.Lock()
	k := b.known
	b.mu.Unlock()
	facts := []supervise.Fact{
		{Name: "bot ID", Text: b.opts.Hostname},
		{Name: "Swarming server", Text: b.opts.Swarming},
		{Name: "work directory", Text: b.opts.WorkDir},
		{Name: "updates of itself", Text: fmt.Sprint(k.updates), Metric: "self_updates", Value: float64(k.updates)},
	}
	if k.digest != "" {
		facts = append(facts, supervise.Fact{Name: "bot downloaded", Text: k.digest})
	}
	if k.python != "" {
		facts = append(facts, supervise.Fact{Name: "Python", Text: k.python})
	}
	return append(facts, k.tokenFacts()...)
}

// tail reads a log that grows, and is renamed when it is full, by bounded
// reads.
type tail struct {
	name string
	file *os.File // nil while it is not there
	at   int64
	rest []byte // of a line without its end yet
}

// newTail returns the tail of a file, from its present end on.
func newTail(name string) *tail {
	t := &tail{name: name}
	if f, err := os.Open(name); err == nil {
		t.file = f
		t.at, _ = f.Seek(0, io.SeekEnd)
	}
	return t
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// lines calls see for each line that is new.
func (t *tail) lines(see func(string)) {
	t.read(see)
	now, err := os.Stat(t.name)
	if err != nil {
		return
	}
	if t.file != nil {
		open, err := t.file.Stat()
		if err == nil && os.SameFile(now, open) && now.Size() >= t.at {
			return
		}
		t.file.Close()
	}
	t.at, t.rest = 0, nil
	if t.file, err = os.Open(t.name); err != nil {
		t.file = nil
		return
	}
	t.read(see)
}

// read reads what the open file has now.
func (t *tail) read(see func(string)) {
	if t.file == nil {
		return
	}
	if info, err := t.file.Stat(); err == nil && info.Size()-t.at > watchMost {
		t.at, t.rest = info.Size()-watchMost, nil
	}
	buf := make([]byte, watchChunk)
	for left := watchMost; left > 0; {
		n, err := t.file.ReadAt(buf, t.at)
		t.at += int64(n)
		left -= n
		t.rest = splitLines(append(t.rest, buf[:n]...), see)
		if err != nil || n == 0 {
			return
		}
	}
}

// splitLines calls see for each whole line and returns the rest, both cut to
// maxLine.
func splitLines(text []byte, see func(string)) (rest []byte) {
	for {
		line, after, whole := bytes.Cut(text, []byte("\n"))
		if len(line) > maxLine {
			line = line[:maxLine]
		}
		if !whole {
			return append([]byte{}, line...)
		}
		see(strings.TrimRight(string(line), "\r"))
		text = after
	}
}

// botOutput passes on what the bot prints, and reads it.
type botOutput struct {
	to   io.Writer
	line func(string)
	mu   sync.Mutex
	rest []byte
}

func (o *botOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.rest = splitLines(append(o.rest, p...), o.line)
	o.mu.Unlock()
	o.to.Write(p) // a bot must not die because nobody listens
	return len(p), nil
}
