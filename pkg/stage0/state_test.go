package stage0

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/release"
	"gobuild/pkg/supervise"
)

func TestRollBack(t *testing.T) {
	m := newFarm(t)
	v1, v2, v3 := variant("u-1"), variant("u-2"), variant("u-3")
	m.publish(v1, 1)
	f := m.fetcher()
	if err := f.RollBack("nothing there"); !errors.Is(err, ErrNoPrevious) {
		t.Errorf("without a program: %v", err)
	}
	fetch(t, f)
	if err := f.RollBack("the only one"); !errors.Is(err, ErrNoPrevious) {
		t.Errorf("without a previous one: %v", err)
	}
	holds(t, f, v1)
	if err := f.Confirm(); err != nil {
		t.Fatal(err)
	}
	m.publish(v2, 2)
	fetch(t, f)
	if err := f.RollBack("it does not register"); err != nil {
		t.Fatal(err)
	}
	holds(t, f, v1)
	state, err := f.State()
	if err != nil || !state.Intact || state.Current.Version != "1.0.1" || state.Current.Confirmed.IsZero() || len(state.Bad) != 1 || state.Bad[0].Why != "it does not register" {
		t.Errorf("%+v, %v", state, err)
	}
	if err := f.RollBack("again"); !errors.Is(err, ErrNoPrevious) {
		t.Errorf("a second time: %v", err)
	}

	// The bad one is not fetched again: neither by its ETag, nor by its digest,
	// nor, where neither is told, does it get in place.
	m.seen()
	for name, change := range map[string]func(){
		"ETag":   func() {},
		"digest": func() { m.etag = "" },
		"none":   func() { m.etag = ""; delete(m.files, m.name+".sha256") },
	} {
		m.publish(v2, 2)
		m.mu.Lock()
		change()
		m.mu.Unlock()
		if r := fetch(t, f); r.Updated || r.Version != "1.0.1" {
			t.Errorf("%s: got %+v", name, r)
		}
		_, all := m.seen()
		if name == "ETag" && all != 1 {
			t.Errorf("%d requests for what is known to be bad", all)
		}
		holds(t, f, v1)
	}
	// The next one is.
	m.publish(v3, 3)
	if r := fetch(t, f); !r.Updated || r.Version != "1.0.3" {
		t.Errorf("got %+v", r)
	}
	holds(t, f, v3)

	// One that has not proved good does not push out the one that has.
	m.publish(variant("u-4"), 4)
	fetch(t, f)
	if previous, _ := os.ReadFile(f.File + ".previous"); !bytes.Equal(previous, v1) {
		t.Errorf("%q was kept in place of the one that was confirmed", tail(previous))
	}
	if err := f.RollBack("no good either"); err != nil {
		t.Fatal(err)
	}
	holds(t, f, v1)
}

// Somebody else who changes the files is let finish.
func TestLocked(t *testing.T) {
	m := newFarm(t)
	m.publish(variant("u-1"), 1)
	f := m.fetcher()
	unlock, err := supervise.Lock(f.File + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context()); !errors.Is(err, supervise.ErrLocked) {
		t.Errorf("Fetch: %v", err)
	}
	if err := f.Confirm(); !errors.Is(err, supervise.ErrLocked) {
		t.Errorf("Confirm: %v", err)
	}
	unlock()
	fetch(t, f)
	// A short change of somebody else's is waited for.
	if unlock, err = supervise.Lock(f.File + ".lock"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, unlock)
	if err := f.Confirm(); err != nil {
		t.Error(err)
	}
}

// A state file that was damaged costs the memory, not the program.
func TestDamagedState(t *testing.T) {
	m := newFarm(t)
	v1 := variant("u-1")
	m.publish(v1, 1)
	f := m.fetcher()
	fetch(t, f)
	for _, text := range []string{"", "{", "[]", "null", `{"current":7}`, strings.Repeat("x", maxState+10)} {
		if err := os.WriteFile(f.File+".json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f.State(); err != nil {
			t.Errorf("State with %.20q: %v", text, err)
		}
		fetch(t, f)
		holds(t, f, v1)
	}
}

// What a power cut leaves between any two steps of a change is put in order.
func TestBrokenOff(t *testing.T) {
	m := newFarm(t)
	v1, v2 := variant("u-1"), variant("u-2")
	set := func(t *testing.T) *Fetcher {
		m.publish(v1, 1)
		f := m.fetcher()
		fetch(t, f)
		if err := f.Confirm(); err != nil {
			t.Fatal(err)
		}
		m.publish(v2, 2)
		return f
	}
	read := func(t *testing.T, f *Fetcher) *files {
		t.Helper()
		s, err := f.open()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("before the swap", func(t *testing.T) {
		f := set(t)
		s := read(t, f)
		s.state.Next = &Program{Digest: strings.Repeat("0", 64), Version: "1.0.2"}
		check(s.save())
		check(keepAs(f.File, f.File+".previous"))
		if s := read(t, f); !s.intact() || s.state.Current.Version != "1.0.1" || s.state.Next != nil {
			t.Errorf("%+v", s.state)
		}
		fetch(t, f)
		holds(t, f, v2)
	})
	t.Run("after the swap", func(t *testing.T) {
		f := set(t)
		before, err := os.ReadFile(f.File + ".json")
		check(err)
		fetch(t, f)
		after, err := f.State()
		check(err)
		var state State
		check(json.Unmarshal(before, &state))
		state.Next = &after.Current
		data, err := json.Marshal(state)
		check(err)
		check(os.WriteFile(f.File+".json", data, 0o600))
		s := read(t, f)
		if !s.intact() || s.state.Current.Version != "1.0.2" || s.state.Previous.Version != "1.0.1" {
			t.Errorf("%+v", s.state)
		}
		check(s.rollBack("no good"))
		holds(t, f, v1)
	})
	t.Run("between the two renames of Windows", func(t *testing.T) {
		f := set(t)
		fetch(t, f)
		check(os.Remove(f.File))
		if s := read(t, f); !s.intact() || s.state.Current.Version != "1.0.1" {
			t.Errorf("%+v", s.state)
		}
		holds(t, f, v1)
		fetch(t, f)
		holds(t, f, v2)
	})
	t.Run("in a roll-back", func(t *testing.T) {
		f := set(t)
		fetch(t, f)
		s := read(t, f)
		s.state.addBad(s.state.Current, "no good")
		check(s.save())
		if s := read(t, f); !s.intact() || s.state.Current.Version != "1.0.1" {
			t.Errorf("%+v", s.state)
		}
		holds(t, f, v1)
	})
	t.Run("at a roll-back's end", func(t *testing.T) {
		f := set(t)
		fetch(t, f)
		s := read(t, f)
		s.state.addBad(s.state.Current, "no good")
		check(s.save())
		check(os.Rename(f.File+".previous", f.File))
		if s := read(t, f); !s.intact() || s.state.Current.Version != "1.0.1" || s.state.Previous.Digest != "" {
			t.Errorf("%+v", s.state)
		}
		holds(t, f, v1)
	})
}

// fetchChild is set in a process that fetches over and over: URL, file, key.
const fetchChild = "STAGE0_TEST_FETCH"

func runFetchChild() int {
	arg := strings.Split(os.Getenv(fetchChild), "\n")
	key, err := release.ParsePublicKey(arg[2])
	if err != nil {
		return 1
	}
	f := &Fetcher{URL: arg[0], File: arg[1], Keys: []release.PublicKey{key}, Port: port, AllowDowngrade: true, Pause: time.Millisecond}
	for {
		if _, err := f.Fetch(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		f.Confirm()
	}
}

// A process that is killed at any moment leaves a whole program.
func TestKilled(t *testing.T) {
	m := newFarm(t)
	contents := [][]byte{variant("u-0"), variant("u-1")}
	m.publish(contents[0], 0)
	f := m.fetcher()
	f.AllowDowngrade = true
	fetch(t, f)
	rounds := 40
	if testing.Short() {
		rounds = 8
	}
	changes := 0
	for round := range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), fetchChild+"="+strings.Join([]string{f.URL, f.File, m.key.Public().String()}, "\n"))
		child.Stderr = t.Output()
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { child.Wait(); close(ended) }()
		wait := time.After(time.Duration(rand.IntN(700)) * time.Millisecond)
		for killed := false; !killed; {
			changes++
			m.publish(contents[changes%2], changes)
			select {
			case <-wait:
				child.Process.Kill()
				<-ended
				killed = true
			case <-ended:
				t.Fatal("the child has ended by itself")
			case <-time.After(time.Duration(rand.IntN(40)) * time.Millisecond):
			}
		}
		got, err := os.ReadFile(f.File)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("round %d: the program in place has %d bytes, ending in %q", round, len(got), tail(got))
		}
	}
	fetch(t, f)
	holds(t, f, contents[changes%2])
}

func FuzzState(f *testing.F) {
	full, err := json.Marshal(State{Current: Program{Digest: "d", ETag: `"e"`, Since: now()}, Next: &Program{}, Bad: []BadProgram{{Why: "w"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"bad":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data)
		if err != nil {
			if s.Current.Digest != "" {
				t.Error("something is left of what cannot be read")
			}
			return
		}
		if len(s.Bad) > maxBad {
			t.Errorf("%d bad ones", len(s.Bad))
		}
		again, err := json.Marshal(s)
		if err != nil {
			return // a year that JSON does not take
		}
		if _, err := parseState(again); err != nil {
			t.Errorf("%s became %s: %v", data, again, err)
		}
		s.addBad(s.Current, "why")
		if _, bad := s.bad(s.Current.Digest); !bad && s.Current.Digest != "" {
			t.Error("what is bad is not known to be")
		}
	})
}
