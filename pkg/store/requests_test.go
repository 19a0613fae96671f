package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMemoryRequests(t *testing.T) {
	testRequests(t, func(t *testing.T) Store { return NewMemory() })
}

// testRequests checks what every Store has to do with requests; open returns
// an empty one.
func testRequests(t *testing.T, open func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"life":                testRequestLife,
		"open ones hold":      testOpenRequest,
		"connected":           testNoteConnected,
		"failed change":       testFailedChange,
		"full":                testFullQueue,
		"unknown":             testUnknownRequest,
		"filed at once":       testFiledAtOnce,
		"decided at once":     testDecidedAtOnce,
		"names that resemble": testResemblingNames,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			test(t, s)
		})
	}
}

// add stores a request for hostname, which has to succeed.
func add(t *testing.T, s Store, hostname string) Request {
	t.Helper()
	r, err := s.AddRequest(t.Context(), Request{Hostname: hostname}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// setState gives a request a state, which has to succeed.
func setState(t *testing.T, s Store, id string, state RequestState) {
	t.Helper()
	_, err := s.ChangeRequest(t.Context(), id, func(r *Request) error {
		r.State = state
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testRequestLife follows a request through all of its fields.
func testRequestLife(t *testing.T, s Store) {
	// Stores need not keep more than microseconds, nor the zone.
	now := time.Now().UTC().Truncate(time.Microsecond)
	filed := Request{
		Hostname: "linux-mips-joe", Port: "linux-mips", HostType: "host-linux-mips", Contact: "Joe é <joe@example.org>",
		CSR: "csr", KeyID: "key", Report: strings.Repeat("line\n", 6000), Created: now, Changed: now,
	}
	want := filed
	want.ID, want.State = "linux-mips-joe.1", RequestPending
	got, err := s.AddRequest(t.Context(), filed, 1000)
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("returned (- want, + got):\n%s", diff)
		}
		stored, err := s.Request(t.Context(), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, stored); diff != "" {
			t.Errorf("stored (- want, + got):\n%s", diff)
		}
		list, err := s.Requests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		short := want
		short.CSR, short.Report, short.Certificate = "", "", ""
		if diff := cmp.Diff([]Request{short}, list); diff != "" {
			t.Errorf("listed (- want, + got):\n%s", diff)
		}
	}
	check()
	want.State, want.Changed, want.DecidedBy = RequestApproved, now.Add(time.Second), "user-ann"
	want.Granted, want.Certificate, want.Note, want.Reason = "host-linux-mips", "cert", "note", "reason"
	want.Collected, want.Connected = now.Add(2*time.Second), now.Add(3*time.Second)
	got, err = s.ChangeRequest(t.Context(), want.ID, func(r *Request) error {
		if r.Contact != filed.Contact || r.State != RequestPending {
			t.Errorf("to be changed: %+v", r)
		}
		*r = want
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	check()
}

// testOpenRequest checks that a host name has one open request at a time, and
// that numbers go on.
func testOpenRequest(t *testing.T, s Store) {
	first := add(t, s, "a")
	for _, state := range []RequestState{RequestPending, RequestApproved} {
		setState(t, s, first.ID, state)
		old, err := s.AddRequest(t.Context(), Request{Hostname: "a", KeyID: "other"}, 1000)
		if !errors.Is(err, ErrExists) || old.ID != first.ID || old.State != state || old.KeyID != "" {
			t.Errorf("while it is %s: %+v, %v", state, old, err)
		}
	}
	other := add(t, s, "b")
	setState(t, s, first.ID, RequestRejected)
	second := add(t, s, "a")
	setState(t, s, second.ID, RequestRejected)
	third := add(t, s, "a")
	var ids []string
	list, err := s.Requests(t.Context())
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{"a.1", "b.1", "a.2", "a.3"}, ids); diff != "" || err != nil {
		t.Errorf("in order (- want, + got), %v:\n%s", err, diff)
	}
	if other.ID != "b.1" || second.ID != "a.2" || third.ID != "a.3" {
		t.Errorf("IDs: %s, %s, %s", other.ID, second.ID, third.ID)
	}
}

// testNoteConnected checks that only the approved request of exactly that
// machine is noted, and only once.
func testNoteConnected(t *testing.T, s Store) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	note := func(hostname, hostType string, at time.Time, want string) {
		t.Helper()
		if id, err := s.NoteConnected(t.Context(), hostname, hostType, at); id != want || err != nil {
			t.Errorf("NoteConnected(%q, %q): %q, %v, want %q", hostname, hostType, id, err, want)
		}
	}
	grant := func(id, hostType string, state RequestState) {
		t.Helper()
		_, err := s.ChangeRequest(t.Context(), id, func(r *Request) error {
			r.State, r.Granted = state, hostType
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, "a")
	add(t, s, "b")
	note("a", "host-x", now, "") // pending
	grant("a.1", "host-x", RequestRejected)
	note("a", "host-x", now, "")
	add(t, s, "a")
	grant("a.2", "", RequestApproved)
	note("a", "host-x", now, "")
	grant("a.2", "host-x", RequestApproved)
	note("a", "host-y", now, "")
	note("b", "host-x", now, "")
	note("a", "host-x", now, "a.2")
	note("a", "host-x", now.Add(time.Hour), "")
	for id, want := range map[string]time.Time{"a.1": {}, "a.2": now, "b.1": {}} {
		if r, err := s.Request(t.Context(), id); err != nil || !r.Connected.Equal(want) {
			t.Errorf("%s: connected %s, want %s (%v)", id, r.Connected, want, err)
		}
	}
}

func testFailedChange(t *testing.T, s Store) {
	r := add(t, s, "a")
	failed := errors.New("no")
	got, err := s.ChangeRequest(t.Context(), r.ID, func(r *Request) error {
		r.State, r.Note = RequestApproved, "changed"
		return failed
	})
	if !errors.Is(err, failed) || got != (Request{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if stored, err := s.Request(t.Context(), r.ID); err != nil || stored != r {
		t.Errorf("after it: %+v, %v", stored, err)
	}
}

// testFullQueue checks that only pending requests fill the queue, and that
// who is in it already is told so.
func testFullQueue(t *testing.T, s Store) {
	add(t, s, "a")
	setState(t, s, "a.1", RequestApproved)
	add(t, s, "b")
	if r, err := s.AddRequest(t.Context(), Request{Hostname: "c"}, 1); !errors.Is(err, ErrFull) || r != (Request{}) {
		t.Errorf("a second pending one: %+v, %v", r, err)
	}
	if r, err := s.AddRequest(t.Context(), Request{Hostname: "b"}, 1); !errors.Is(err, ErrExists) || r.ID != "b.1" {
		t.Errorf("one that is there: %+v, %v", r, err)
	}
	setState(t, s, "b.1", RequestRejected)
	if _, err := s.AddRequest(t.Context(), Request{Hostname: "c"}, 1); err != nil {
		t.Error(err)
	}
}

func testUnknownRequest(t *testing.T, s Store) {
	add(t, s, "a")
	for _, id := range []string{"", "a", "a.2", "a.01", "b.1", "A.1", "a.1 ", "%"} {
		if r, err := s.Request(t.Context(), id); !errors.Is(err, ErrNotFound) || r != (Request{}) {
			t.Errorf("Request(%q): %+v, %v", id, r, err)
		}
		r, err := s.ChangeRequest(t.Context(), id, func(*Request) error {
			t.Errorf("%q was found", id)
			return nil
		})
		if !errors.Is(err, ErrNotFound) || r != (Request{}) {
			t.Errorf("ChangeRequest(%q): %+v, %v", id, r, err)
		}
	}
}

// testResemblingNames checks that a host name is taken as a whole.
func testResemblingNames(t *testing.T, s Store) {
	for _, hostname := range []string{"linux-arm-joe", "linux-arm-joe-1", "linux-arm-jo", "linux-arm-joe-10", "linux_arm-joe"} {
		if r := add(t, s, hostname); r.ID != hostname+".1" {
			t.Errorf("%s has got the ID %s", hostname, r.ID)
		}
	}
}

func testFiledAtOnce(t *testing.T, s Store) {
	var wg sync.WaitGroup
	var added atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			r, err := s.AddRequest(context.Background(), Request{Hostname: "a", KeyID: fmt.Sprint(i)}, 1000)
			if err == nil {
				added.Add(1)
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
			if r.ID != "a.1" {
				t.Errorf("%+v", r)
			}
		})
	}
	wg.Wait()
	if list, err := s.Requests(t.Context()); added.Load() != 1 || len(list) != 1 || err != nil {
		t.Errorf("%d were added, %d are there (%v)", added.Load(), len(list), err)
	}
}

func testDecidedAtOnce(t *testing.T, s Store) {
	add(t, s, "a")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, err := s.ChangeRequest(context.Background(), "a.1", func(r *Request) error {
				r.Note += "x"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r, err := s.Request(t.Context(), "a.1"); len(r.Note) != 50 || err != nil {
		t.Errorf("of 50 changes %d are there (%v)", len(r.Note), err)
	}
}

// Memory forgets the request that was rejected first, and no open one.
func TestMemoryForgetsRejected(t *testing.T) {
	m := NewMemory()
	add(t, m, "open")
	start := time.Now()
	for i := range keepEnded + 1 {
		r := add(t, m, fmt.Sprint("h", i))
		_, err := m.ChangeRequest(t.Context(), r.ID, func(r *Request) error {
			// The second is the one that was decided on first.
			r.State, r.Changed = RequestRejected, start.Add(time.Duration((i-1)*(i-1))*time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]error{"open.1": nil, "h0.1": nil, "h1.1": ErrNotFound, "h2.1": nil} {
		if _, err := m.Request(t.Context(), id); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
}
