package buildlet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"gobuild/pkg/hint"
)

// A supervised buildlet ("gobuild buildlet --supervised") tells the program
// that has started it how it is, a line of JSON each on its standard output,
// and takes orders from it, likewise, on its standard input. The end of that
// input means that the supervisor is gone, and ends the buildlet as a signal
// does. Lines with unknown fields or names are passed over, so that either
// side may be the newer one.

// Report is a line that a supervised buildlet writes, whenever something of
// it changes. All fields are the state at that time.
type Report struct {
	// State is what the buildlet does.
	State ReportState `json:"state"`
	// Since is when State began.
	Since time.Time `json:"since"`
	// Why says why, where there is something to say: why a link was lost, why
	// the coordinator refuses.
	Why string `json:"why,omitempty"`
	// Registered is since when the buildlet has a link to the coordinator that
	// has proved good: zero if it has none.
	Registered time.Time `json:"registered,omitzero"`
	// Instance is the instance that holds the machine, if the coordinator says
	// which.
	Instance string `json:"instance,omitempty"`
	// Commands is how many commands run.
	Commands int `json:"commands,omitempty"`
	// Availability is what the buildlet says to coordinators.
	Availability Availability `json:"availability"`
	// Claims is whether the coordinator claims the machine before it hands it
	// out, and so obeys Availability. Upstream's does not.
	Claims bool `json:"claims,omitempty"`
	// Strays counts the processes that outlived their command or instance and
	// were killed.
	Strays int `json:"strays,omitempty"`
	// Wish, if not nil, is an availability that was asked for by way of the
	// coordinator. The supervisor decides, and gives an Order.
	Wish *Availability `json:"wish,omitempty"`
}

// ReportState is what a supervised buildlet does.
type ReportState string

// The states of a Report.
const (
	Connecting ReportState = "connecting" // has no link to the coordinator
	Idle       ReportState = "idle"       // registered; nobody holds it
	Working    ReportState = "working"    // an instance holds it, or a command runs
	Ending     ReportState = "ending"     // told to end, by a signal, a /halt or a drain
)

// Order is a line that a supervisor writes.
type Order struct {
	// Availability replaces what the buildlet says to coordinators. Draining
	// ends the buildlet, with exit code 0, once nobody holds it. A supervisor
	// gives one at once: the buildlet waits for it before it registers.
	Availability Availability `json:"availability"`
}

const (
	// reportEvery is the longest pause between two Reports, and reportPause
	// the shortest: commands may come and go by the thousand.
	reportEvery = 10 * time.Second
	reportPause = 50 * time.Millisecond
	// lastReportWait is how long a supervisor has to take the last Report.
	lastReportWait = 2 * time.Second
	// firstOrderWait is how long a buildlet waits for its first Order before
	// it registers. A supervisor without a word to say costs that time.
	firstOrderWait = 10 * time.Second
	// maxOrder bounds an Order, in bytes; a longer line is passed over.
	maxOrder = 64 << 10
)

// errSupervisorGone is why a buildlet ends whose supervisor has gone.
var errSupervisorGone = errors.New("the supervisor has gone")

// RunSupervised is Run for a worker that a program has started: it writes
// Reports to out and takes Orders from in, whose end it takes for that
// program's. Nothing is registered before the first Order: it may be that the
// machine takes no work. The last Report is written when all else has ended.
// Reading from in goes on until its end.
func (w *Worker) RunSupervised(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer surviveBrokenPipes()()
	s := w.Server
	s.supervised.Store(true)
	if w.Reverse != nil {
		s.setLink(LinkState{Why: "it waits for its first order"})
	}
	ordered := make(chan struct{})
	first := sync.OnceFunc(func() { close(ordered) })
	go func() {
		readOrders(in, func(o Order) {
			if err := s.SetAvailability(o.Availability); err != nil {
				s.log.Warn("an order is passed over", "err", err)
			}
			first()
		})
		s.setEnding(errSupervisorGone.Error())
		cancel(errSupervisorGone)
	}()
	stop := make(chan struct{})
	var written sync.WaitGroup
	written.Go(func() { s.writeReports(out, stop) })
	select {
	case <-ordered:
	case <-ctx.Done():
	case <-time.After(firstOrderWait):
		s.log.Warn("no order has come; the machine takes work", "within", firstOrderWait)
	}
	err := w.Run(ctx)
	if err != nil {
		why := err.Error()
		if advice := hint.Of(err); advice != "" {
			why += " (" + advice + ")"
		}
		s.setFailed(why)
	} else if cause := context.Cause(ctx); cause != nil {
		s.setEnding(endedBy(cause))
	}
	close(stop)
	done := make(chan struct{})
	go func() {
		written.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(lastReportWait):
	}
	return err
}

// endedBy says why a context ended.
func endedBy(cause error) string {
	if cause == context.Canceled {
		return "told to end by a signal"
	}
	return cause.Error()
}

// writeReports writes Reports to out until stop is closed, and a last one
// then. If nobody takes them, that is all that suffers.
func (s *Server) writeReports(out io.Writer, stop <-chan struct{}) {
	enc := json.NewEncoder(out)
	for last := false; ; {
		changed := s.Changed()
		report := s.Report()
		if report.Wish != nil { // before it is written: the answer may be here first
			s.duty.mu.Lock()
			s.duty.wishTold = s.duty.wishTold || s.duty.wish == report.Wish
			s.duty.mu.Unlock()
		}
		if err := enc.Encode(report); err != nil {
			s.log.Debug("report not written", "err", err)
		}
		if last {
			return
		}
		wait := reportEvery
		if at := s.duty.next(time.Now()); !at.IsZero() {
			wait = min(wait, max(time.Until(at), 0)+time.Millisecond)
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
			select {
			case <-time.After(reportPause):
			case <-stop:
				last = true
			}
		case <-timer.C:
		case <-stop:
			last = true
		}
		timer.Stop()
	}
}

// readOrders calls apply for each Order of in, and returns at its end.
func readOrders(in io.Reader, apply func(Order)) {
	br := bufio.NewReaderSize(in, maxOrder)
	for {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) { // passed over
				_, err = br.ReadSlice('\n')
			}
			if err != nil {
				return
			}
			continue
		}
		if o, ok := parseOrder(line); ok {
			apply(o)
		}
		if err != nil {
			return
		}
	}
}

// parseOrder reads a line; ok is false for one to be passed over.
func parseOrder(line []byte) (o Order, ok bool) {
	if json.Unmarshal(line, &o) != nil || o.Availability.State == "" {
		return Order{}, false
	}
	a, err := checked(o.Availability, time.Now())
	return Order{a}, err == nil
}
