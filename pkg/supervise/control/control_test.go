//go:build !plan9

package control

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/availability"
	"gobuild/pkg/supervise"
)

// worker keeps what it is told.
type worker struct {
	dir  string
	wish Wish
}

func (w *worker) Status() supervise.Status { return supervise.Status{Name: "test", Pid: 42} }
func (w *worker) Wish() Wish               { return w.wish.At(time.Now()) }
func (w *worker) SetWish(wish Wish) (string, error) {
	if wish.Why == "broken" {
		return "", errors.New("the disk is full")
	}
	w.wish = wish
	return "so be it", Save(w.dir, wish)
}

// serve serves a worker in dir.
func serve(t *testing.T, dir string) (*worker, *Client) {
	t.Helper()
	if err := MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	w := &worker{dir: dir}
	stop, err := Serve(dir, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c, err := NewClient(dir)
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

func TestControl(t *testing.T) {
	short, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	for name, dir := range map[string]string{
		"socket": filepath.Join(short, "state"),
		"port":   filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath)),
	} {
		t.Run(name, func(t *testing.T) {
			w, c := serve(t, dir)
			if want := map[string]string{"socket": "unix", "port": "tcp"}[name]; c.at.Network != want {
				t.Errorf("network %s, want %s", c.at.Network, want)
			}
			st, err := c.Status(t.Context())
			if err != nil || st.Worker.Pid != 42 || st.Wish.State != Open {
				t.Errorf("status %+v, %v", st, err)
			}
			wish := Wish{State: Paused, Until: time.Now().Add(time.Hour).UTC().Round(time.Second), By: Owner, Why: "fan"}
			reply, err := c.SetWish(t.Context(), wish)
			if err != nil || reply.Text != "so be it" || reply.Wish != wish {
				t.Errorf("reply %+v, %v", reply, err)
			}
			kept, err := Load(dir)
			if err != nil || kept != wish || w.wish != wish {
				t.Errorf("kept %+v, %v", kept, err)
			}
			for _, bad := range []Wish{{State: "asleep"}, {State: Paused, Until: time.Now().Add(-time.Hour)}, {State: Open, Until: time.Now().Add(time.Hour)}, {State: Draining, Why: strings.Repeat("x", maxWhy+1)}, {State: Open, Why: "broken"}} {
				if _, err := c.SetWish(t.Context(), bad); err == nil {
					t.Errorf("%+v was taken", bad)
				}
			}
			if w.wish != wish {
				t.Errorf("a bad wish was kept: %+v", w.wish)
			}
		})
	}
}

// Where no socket can be made there is a port.
func TestNoSockets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	if err := os.MkdirAll(filepath.Join(dir, socketFile, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, c := serve(t, dir)
	if c.at.Network != "tcp" || c.at.Token == "" {
		t.Errorf("listens at %+v", c.at)
	}
	if st, err := c.Status(t.Context()); err != nil || st.Worker.Pid != 42 {
		t.Errorf("status %+v, %v", st, err)
	}
}

// Nobody but the owner may open the socket or read the token.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	dir := filepath.Join(t.TempDir(), "s")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, c := serve(t, dir)
	want := map[string]fs.FileMode{"": 0o700, endpointFile: 0o600}
	if c.at.Network == "unix" {
		want[socketFile] = 0o600
	}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
}

// Without the token nothing is told, and nothing taken.
func TestToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath))
	_, c := serve(t, dir)
	c.at.Token = "wrong"
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("error %v", err)
	}
	resp, err := http.Get("http://" + c.at.Address + "/status")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %s", resp.Status)
	}
}

// A supervisor that was killed leaves its files; the next one takes over.
func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewClient(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v", err)
	}
	text, err := json.Marshal(endpoint{Network: "unix", Address: filepath.Join(dir, socketFile)})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{endpointFile, socketFile} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := NewClient(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v", err)
	}
	if _, c = serve(t, dir); c != nil {
		if _, err := c.Status(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestWishAt(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		wish Wish
		want availability.State
	}{
		{Wish{}, Open}, {Wish{State: Draining}, Draining}, {Wish{State: Paused}, Paused},
		{Wish{State: Paused, Until: now.Add(time.Second)}, Paused}, {Wish{State: Paused, Until: now}, Open},
	} {
		if got := tt.wish.At(now).State; got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.wish, got, tt.want)
		}
	}
}

// What stands in the file may have been written by anything.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"state":"paused","until":"2026-01-01T00:00:00Z","by":"its owner"}`))
	f.Add([]byte(`{"state":"draining","until":"2026-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, wishFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Load(dir)
		if err != nil {
			return
		}
		if err := Save(dir, w); err != nil {
			return // a year that JSON has no text for
		}
		if again, err := Load(dir); err != nil || again.State != w.State || !again.Until.Equal(w.Until) {
			t.Errorf("%+v came back as %+v, %v", w, again, err)
		}
	})
}
