//go:build unix

package supervise

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// A program that is held does not run, which is no fault; it is asked to end
// for as long as it takes.
func TestHold(t *testing.T) {
	var mu sync.Mutex
	why := "not today"
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		why = text
	}
	s := shell("trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.05; done", func(o *Options) {
		o.Hold = func() string {
			mu.Lock()
			defer mu.Unlock()
			return why
		}
		o.Judge = func(Exit) Verdict { return Verdict{Why: "as wished", Again: true} }
	})
	begin(t, s)
	st := await(t, s, "held", func(st Status) bool { return st.State == Held })
	if st.Starts != 0 || !st.Up() || st.Why != "not today" {
		t.Errorf("status %+v", st)
	}
	say("")
	s.Wake()
	await(t, s, "runs", func(st Status) bool { return st.State == Running })
	time.Sleep(100 * time.Millisecond) // the shell sets its trap
	say("again")
	s.End("again", 0)
	st = await(t, s, "held again", func(st Status) bool { return st.State == Held })
	if st.Failures != 0 || st.Row != 0 || st.LastEnd != "as wished" {
		t.Errorf("status %+v", st)
	}
}

// What is wished while the program is prepared, which may take minutes, finds
// nothing to end: it is not started then.
func TestHoldWhilePreparing(t *testing.T) {
	var mu sync.Mutex
	why := ""
	preparing, goOn := make(chan struct{}), make(chan struct{})
	s := shell("", func(o *Options) {
		o.Prepare = func(context.Context) (*exec.Cmd, error) {
			close(preparing)
			<-goOn
			return exec.Command("sleep", "600"), nil
		}
		o.Hold = func() string {
			mu.Lock()
			defer mu.Unlock()
			return why
		}
	})
	begin(t, s)
	<-preparing
	mu.Lock()
	why = "not now"
	mu.Unlock()
	s.End("not now", 0)
	close(goOn)
	if st := await(t, s, "held", func(st Status) bool { return st.State == Held }); st.Starts != 0 || st.Failures != 0 {
		t.Errorf("status %+v", st)
	}
}

// The same goes for what is wished at the moment of the start.
func TestHoldAtTheStart(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	s := shell("", func(o *Options) {
		o.Prepare = func(context.Context) (*exec.Cmd, error) { return exec.Command("sleep", "600"), nil }
		o.Judge = func(Exit) Verdict { return Verdict{Why: "as wished", Again: true} }
		o.Hold = func() string {
			mu.Lock()
			defer mu.Unlock()
			if asked++; asked <= 2 { // before and after Prepare
				return ""
			}
			return "not now"
		}
	})
	begin(t, s)
	if st := await(t, s, "held", func(st Status) bool { return st.State == Held }); st.Starts != 1 || st.Pid != 0 {
		t.Errorf("status %+v", st)
	}
}

// What Prepare finds out may be a reason to hold.
func TestErrHold(t *testing.T) {
	var mu sync.Mutex
	known := false
	s := shell("", func(o *Options) {
		o.Prepare = func(context.Context) (*exec.Cmd, error) {
			mu.Lock()
			defer mu.Unlock()
			known = true
			return nil, ErrHold
		}
		o.Hold = func() string {
			mu.Lock()
			defer mu.Unlock()
			if known {
				return "now it is known"
			}
			return ""
		}
	})
	begin(t, s)
	if st := await(t, s, "held", func(st Status) bool { return st.State == Held }); st.Failures != 0 {
		t.Errorf("status %+v", st)
	}
}

// Run ends for SetLast whatever it waits for, and for a Verdict that says so.
func TestLast(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"held":       func(o *Options) { o.Hold = func() string { return "held" } },
		"backs off":  func(o *Options) { o.Backoff = Backoff{Min: time.Hour, Max: time.Hour} },
		"has enough": func(o *Options) { o.Judge = func(Exit) Verdict { return Verdict{Why: "done", Enough: true} } },
	} {
		t.Run(name, func(t *testing.T) {
			s := shell("exit 1", change)
			done := make(chan error, 1)
			go func() { done <- s.Run(t.Context()) }()
			if name != "has enough" {
				await(t, s, "waits", func(st Status) bool { return st.State == Held || st.State == BackingOff })
				s.SetLast(true)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Fatal("Run does not return")
			}
		})
	}
}

// The phase is told beside the state, in all ways.
func TestPhase(t *testing.T) {
	s := shell("sleep 60", nil)
	begin(t, s)
	await(t, s, "runs", Status.Up)
	s.SetPhase(Phase{Name: Working, Why: "instance x"})
	since := s.Status().Phase.Since
	s.SetPhase(Phase{Name: Working, Why: "instance <y>"})
	st := s.Status()
	if !st.Phase.Since.Equal(since) || st.Line() != "working: instance <y>" || !st.Up() {
		t.Errorf("phase %+v, line %q", st.Phase, st.Line())
	}
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		Handler(s.Status).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	for path, want := range map[string]string{
		"/":            "<strong>working</strong> since",
		"/status.json": `"name": "working"`,
		"/metrics":     `gobuild_worker_phase{phase="working"} 1`,
		"/healthz":     "working: instance <y>",
	} {
		if code, text := get(path); code != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d, %s", path, code, text)
		}
	}
	for phase, up := range map[PhaseName]bool{Dead: false, Connecting: false, Quarantined: false, Paused: true, Draining: true, Idle: true} {
		s.SetPhase(Phase{Name: phase})
		if code, text := get("/healthz"); (code == 200) != up || text != string(phase)+"\n" {
			t.Errorf("%s: %d, %s", phase, code, text)
		}
	}
	s.SetPhase(Phase{})
	if st := s.Status(); st.Phase != nil || st.Line() != "running" {
		t.Errorf("status %+v", st)
	}
}
