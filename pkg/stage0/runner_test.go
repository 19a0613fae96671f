package stage0

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what a program has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the program has printed what.
func (o *output) await(t *testing.T, what string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(o.String(), what); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it has not printed %q:\n%s", what, o)
		}
	}
}

// runner returns a runner of a farm's program, and what that prints.
func (m *farm) runner(f *Fetcher) (*Runner, *output) {
	out := &output{}
	return &Runner{
		Fetcher: f, Args: []string{"--reverse-type=t"}, Env: os.Environ(),
		RegisterWithin: 2 * time.Second, Stdout: out, Stderr: out, Log: logTo(m.t),
	}, out
}

// confirmed reports whether the program in place has proved good.
func confirmed(t *testing.T, f *Fetcher) bool {
	t.Helper()
	state, err := f.State()
	if err != nil {
		t.Fatal(err)
	}
	return state.Intact && !state.Current.Confirmed.IsZero()
}

// A new program that is no good is taken out, and the one before runs in its
// place, at once and at the next start; and it is not fetched again.
func TestNewOneIsNoGood(t *testing.T) {
	for _, tt := range []struct{ old, new, why string }{
		{"g-registers", "g-mute", "it did not register within 2s"},
		{"g-registers", "g-fails", "it ended (exit status 3) before it had registered"},
		{"u-stays", "u-fails", "it ended (exit status 3) before it had registered"},
		{"g-registers", "u-fails", "it ended (exit status 3)"},
		{"u-stays", "g-mute", "it did not register within 2s"},
	} {
		t.Run(tt.old+" "+tt.new, func(t *testing.T) {
			m := newFarm(t)
			m.publish(variant(tt.old), 1)
			f := m.fetcher()
			fetch(t, f)
			if err := f.Confirm(); err != nil {
				t.Fatal(err)
			}
			m.publish(variant(tt.new), 2)
			fetch(t, f)
			r, out := m.runner(f)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			out.await(t, "mode "+tt.old)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(out.String(), "mode "+tt.new) {
				t.Errorf("the new one was not tried:\n%s", out)
			}
			state, err := f.State()
			if err != nil || len(state.Bad) != 1 || !strings.Contains(state.Bad[0].Why, tt.why) || state.Current.Version != "1.0.1" {
				t.Errorf("%+v, %v", state, err)
			}
			holds(t, f, variant(tt.old))
			if r := fetch(t, f); r.Updated {
				t.Errorf("the bad one was fetched again: %+v", r)
			}
			holds(t, f, variant(tt.old))
		})
	}
}

// One that registers, or stays up without telling, has proved good.
func TestProvesGood(t *testing.T) {
	for _, mode := range []string{"g-registers", "u-stays"} {
		t.Run(mode, func(t *testing.T) {
			m := newFarm(t)
			m.publish(variant(mode), 1)
			f := m.fetcher()
			fetch(t, f)
			r, out := m.runner(f)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			for deadline := time.Now().Add(30 * time.Second); !confirmed(t, f); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("it has not proved good:\n%s", out)
				}
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			// It was asked, not killed, and its reports are not printed.
			if text := out.String(); !strings.HasSuffix(text, "told to end\n") || strings.Contains(text, "{") || strings.Contains(text, "--supervised") != (mode[0] == 'g') {
				t.Errorf("it has printed:\n%s", text)
			}
		})
	}
}

// While no coordinator answers, and without one to go back to, nothing is
// rolled back.
func TestNotToBlame(t *testing.T) {
	m := newFarm(t)
	m.publish(variant("u-stays"), 1)
	f := m.fetcher()
	fetch(t, f)
	m.publish(variant("g-fails"), 2)
	fetch(t, f)
	r, _ := m.runner(f)
	r.Reachable = func(context.Context) bool { return false }
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("no coordinator: %v", err)
	}
	holds(t, f, variant("g-fails"))

	f = m.fetcher()
	fetch(t, f)
	r, _ = m.runner(f)
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("no other one: %v", err)
	}
	// A failure after it has proved good is no reason either.
	m.publish(variant("g-registers-and-fails"), 3)
	f = m.fetcher()
	fetch(t, f)
	m.publish(append(variant("g-registers-and-fails"), ""...), 4)
	r, _ = m.runner(f)
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("a failure later: %v", err)
	}
	if !confirmed(t, f) {
		t.Error("it had registered, but that was not noted")
	}
	m.publish(variant("u-ends"), 5)
	f = m.fetcher()
	fetch(t, f)
	r, _ = m.runner(f)
	if err := r.Run(t.Context()); err != nil {
		t.Errorf("an end with 0: %v", err)
	}
}

// A network that comes and goes is not the new program's fault.
func TestFlappingNetwork(t *testing.T) {
	m := newFarm(t)
	m.publish(variant("u-stays"), 1)
	f := m.fetcher()
	fetch(t, f)
	m.publish(variant("g-mute"), 2)
	fetch(t, f)
	r, _ := m.runner(f)
	r.RegisterWithin = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	looks := 0
	r.Reachable = func(context.Context) bool {
		if looks++; looks == 4*probes {
			cancel()
		}
		return looks%2 == 0
	}
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
	if looks < 4*probes {
		t.Errorf("only %d looks", looks)
	}
	holds(t, f, variant("g-mute"))
}
