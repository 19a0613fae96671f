package stage0

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/release"
)

// logTo returns a log that a failed test shows.
func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// fetch fetches, which has to go well.
func fetch(t *testing.T, f *Fetcher) Result {
	t.Helper()
	r, err := f.Fetch(t.Context())
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	return r
}

// holds checks that the program in place is want, whole and executable, and
// that nothing else lies about than what belongs there.
func holds(t *testing.T, f *Fetcher, want []byte) {
	t.Helper()
	got, err := os.ReadFile(f.File)
	if want == nil && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the program in place has %d bytes and ends in %q, want %d bytes, %q", len(got), tail(got), len(want), tail(want))
	}
	if info, err := os.Stat(f.File); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(f.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		switch strings.TrimPrefix(entry.Name(), filepath.Base(f.File)) {
		case "", ".previous", ".json", ".lock", ".part":
		default:
			t.Errorf("%s lies about", entry.Name())
		}
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-20):] }

func TestFetch(t *testing.T) {
	m := newFarm(t)
	v1, v2 := variant("u-1"), variant("u-2")
	m.publish(v1, 1)
	f := m.fetcher()
	var last int64
	f.Progress = func(done, total int64, rate float64) {
		if total != int64(len(v1)) || done < last || rate < 0 {
			t.Errorf("progress: %d of %d, %g/s, after %d", done, total, rate, last)
		}
		last = done
	}
	if r := fetch(t, f); !r.Updated || r.Version != "1.0.1" || len(r.Digest) != 64 {
		t.Errorf("got %+v", r)
	}
	if last != int64(len(v1)) {
		t.Errorf("the last progress was %d of %d", last, len(v1))
	}
	holds(t, f, v1)
	f.Progress = nil
	m.seen()

	// What is up to date takes one request, without a body.
	if r := fetch(t, f); r.Updated || r.Version != "1.0.1" {
		t.Errorf("got %+v", r)
	}
	if forProgram, all := m.seen(); all != 1 || forProgram[0].Header.Get("If-None-Match") != m.etag {
		t.Errorf("%d requests, %v", all, forProgram[0].Header)
	}
	m.publish(v2, 2)
	if r := fetch(t, f); !r.Updated || r.Version != "1.0.2" {
		t.Errorf("got %+v", r)
	}
	holds(t, f, v2)
	if previous, _ := os.ReadFile(f.File + ".previous"); !bytes.Equal(previous, v1) {
		t.Error("the one before was not kept")
	}
	// A server without ETags has times.
	m.mu.Lock()
	m.etag = ""
	m.mu.Unlock()
	fresh := m.fetcher()
	fetch(t, fresh)
	m.seen()
	fetch(t, fresh)
	if forProgram, all := m.seen(); all != 1 || forProgram[0].Header.Get("If-Modified-Since") == "" {
		t.Errorf("%d requests, %v", all, forProgram[0].Header)
	}
	state, err := f.State()
	if err != nil || !state.Intact || state.Current.Version != "1.0.2" || state.Previous.Version != "1.0.1" || state.Next != nil || state.Partial != nil {
		t.Errorf("%+v, %v", state, err)
	}
	// A program that was damaged is replaced, though the server has no news.
	if err := os.WriteFile(f.File, v2[:1000], 0o755); err != nil {
		t.Fatal(err)
	}
	if r := fetch(t, f); !r.Updated {
		t.Errorf("got %+v", r)
	}
	holds(t, f, v2)
}

// A new signature of the program that is here is taken over, so that the old
// one's neighbours count as older.
func TestSignedAgain(t *testing.T) {
	m := newFarm(t)
	v1 := variant("u-1")
	m.publish(v1, 1)
	f := m.fetcher()
	fetch(t, f)
	m.publish(v1, 5)
	m.mu.Lock()
	m.etag = `"another"`
	m.mu.Unlock()
	if r := fetch(t, f); r.Updated || r.Version != "1.0.5" {
		t.Errorf("got %+v", r)
	}
	m.publish(variant("u-3"), 3)
	if _, err := f.Fetch(t.Context()); !errors.Is(err, ErrOlder) {
		t.Errorf("a release from between: %v", err)
	}
	holds(t, f, v1)
}

// Nothing that is wrong with what is published touches the program in place.
func TestRefused(t *testing.T) {
	old, offered := variant("u-old"), variant("u-new")
	other, err := release.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		spoil  func(m *farm)
		change func(f *Fetcher)
		err    string
		hint   string
		is     error
	}{
		"404": {
			spoil: func(m *farm) { m.set("", nil) },
			err:   "404 Not Found: no such file here", hint: "gobuild release publish",
		},
		"no signature": {
			spoil: func(m *farm) { m.set(".sig", nil) },
			err:   "there is no signature", hint: "gobuild release publish",
		},
		"signed by another": {
			spoil: func(m *farm) {
				m.publishAs(other, release.Info{File: m.name, Signed: epoch.AddDate(0, 0, 9)}, offered)
			},
			is: release.ErrOtherKey, hint: "ask the farm's maintainer",
		},
		"signature changed": {
			spoil: func(m *farm) {
				m.set(".sig", bytes.Replace(m.files[m.name+".sig"], []byte("version:1.0.2"), []byte("version:1.0.9"), 1))
			},
			is: release.ErrForged, hint: "do not use",
		},
		"signature is HTML": {
			spoil: func(m *farm) { m.set(".sig", []byte("<html>sign in</html>")) },
			err:   "no signature of a release",
		},
		"signature without end": {
			spoil: func(m *farm) { m.set(".sig", make([]byte, release.MaxSignature+1)) },
			err:   "more than",
		},
		"signature of another content": {
			spoil: func(m *farm) {
				m.set("", variant("u-other"))
				m.set(".sha256", nil)
			},
			is: release.ErrForged,
		},
		"signature of another file": {
			spoil: func(m *farm) {
				m.publishAs(m.key, release.Info{File: "buildlet.plan9-386", Signed: epoch.AddDate(0, 0, 9)}, offered)
			},
			err: `that of another file, "buildlet.plan9-386"`, hint: "passes one program off as another",
		},
		"corrupted": {
			spoil: func(m *farm) {
				changed := bytes.Clone(offered)
				changed[len(changed)/2] ^= 1
				m.set("", changed)
			},
			is: errMixed, err: "was announced",
		},
		"truncated on the server": {
			spoil: func(m *farm) { m.set("", offered[:len(offered)/2]) },
			is:    errMixed, err: "was announced",
		},
		"digest of another": {
			spoil: func(m *farm) {
				m.set(".sha256", []byte(release.DigestLine(strings.Repeat("0", 64), "buildlet.plan9-386")))
			},
			err: `the digest of "buildlet.plan9-386"`,
		},
		"other architecture": {
			spoil: func(m *farm) { m.publish(otherProgram, 3) },
			err:   "the program is for " + runtime.GOOS + "-" + otherArch + ", not for " + port, hint: "wrong port",
		},
		"no program": {
			spoil: func(m *farm) { m.publish([]byte("<html>sign in</html>"), 3) },
			err:   "it is no program", hint: "proxy that wants a sign-in",
		},
		"older": {
			spoil: func(m *farm) { m.publish(offered, 0) },
			is:    ErrOlder, err: "of 2026-09-21T14:13:20Z (1.0.0), and here is that of 2026-09-22T14:13:20Z (1.0.1)", hint: "allow a downgrade",
		},
		"without a time": {
			spoil: func(m *farm) {
				m.publishAs(m.key, release.Info{File: m.name, Signed: time.Unix(1, 0)}, offered)
			},
			is: ErrOlder,
		},
		"10 GB announced": {
			spoil: func(m *farm) {
				m.setFault(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
					if m.isProgram(r) {
						w.Header().Set("Content-Length", "10000000000")
						w.Write(offered)
					}
					return m.isProgram(r)
				})
			},
			err: "it has 10000000000 bytes, more than the 536870912 that are allowed",
		},
		"endless": {
			spoil: func(m *farm) {
				m.setFault(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
					for m.isProgram(r) {
						if _, err := w.Write(offered); err != nil {
							return true
						}
					}
					return false
				})
			},
			change: func(f *Fetcher) { f.MaxSize = 16 << 20 },
			err:    "more than the 16777216 bytes that are allowed have come",
		},
		"always breaks off": {
			spoil: func(m *farm) {
				m.setFault(func(w http.ResponseWriter, r *http.Request, content []byte) bool {
					if m.isProgram(r) {
						w.Header().Set("Content-Length", strconv.Itoa(len(content)))
						w.Write(content[:100_000])
					}
					return m.isProgram(r)
				})
			},
			err: fmt.Sprintf("after 100000 of %d bytes", len(offered)),
		},
		"always busy": {
			spoil: func(m *farm) {
				m.setFault(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
					http.Error(w, "come back later", http.StatusServiceUnavailable)
					return true
				})
			},
			err: "503 Service Unavailable: come back later; tried 3 times",
		},
		"nobody there": {
			spoil: func(m *farm) { m.Server.Close() },
			err:   "refused", hint: "nothing listens on",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newFarm(t)
			m.publish(old, 1)
			f := m.fetcher()
			fetch(t, f)
			m.publish(offered, 2)
			tt.spoil(m)
			if tt.change != nil {
				tt.change(f)
			}
			r, err := f.Fetch(t.Context())
			if err == nil {
				t.Fatal("it was taken")
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.err) || !strings.Contains(hint.Of(err), tt.hint) || hint.Of(err) == "" && tt.err == "" {
				t.Errorf("error: %v\nhint: %s\nwant: %q, %q", err, hint.Of(err), tt.err, tt.hint)
			}
			if !strings.Contains(err.Error(), f.URL) {
				t.Errorf("the error does not name the URL: %v", err)
			}
			if r.Updated || r.Version != "1.0.1" {
				t.Errorf("got %+v", r)
			}
			holds(t, f, old)

			// Likewise where nothing is in place yet.
			fresh := m.fetcher()
			if tt.change != nil {
				tt.change(fresh)
			}
			if tt.is == ErrOlder {
				return
			}
			if r, err := fresh.Fetch(t.Context()); err == nil || r.Digest != "" {
				t.Errorf("a first one: %+v, %v", r, err)
			}
			holds(t, fresh, nil)
		})
	}
}

func TestDowngrade(t *testing.T) {
	m := newFarm(t)
	v1, v2 := variant("u-1"), variant("u-2")
	m.publish(v2, 2)
	f := m.fetcher()
	fetch(t, f)
	m.publish(v1, 1)
	if _, err := f.Fetch(t.Context()); !errors.Is(err, ErrOlder) {
		t.Fatal(err)
	}
	f.AllowDowngrade = true
	if r := fetch(t, f); !r.Updated || r.Version != "1.0.1" {
		t.Errorf("got %+v", r)
	}
	holds(t, f, v1)
}

// A download that was broken off goes on where it was, in the same Fetch, and
// in the next process's.
func TestResume(t *testing.T) {
	m := newFarm(t)
	content := variant("u-1")
	m.publish(content, 1)
	const part = 300_000
	breakOff := func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if !m.isProgram(r) || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("ETag", m.etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content[:part])
		return true
	}
	ranges := func(want ...string) {
		t.Helper()
		forProgram, _ := m.seen()
		var got []string
		for _, r := range forProgram {
			got = append(got, r.Header.Get("Range"))
			if r.Header.Get("Range") != "" && r.Header.Get("If-Range") != m.etag {
				t.Errorf("If-Range is %q", r.Header.Get("If-Range"))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("asked for ranges %q, want %q", got, want)
		}
	}
	m.setFault(breakOff)
	f := m.fetcher()
	fetch(t, f)
	holds(t, f, content)
	ranges("", fmt.Sprintf("bytes=%d-", part))

	f = m.fetcher()
	f.Attempts = 1
	if _, err := f.Fetch(t.Context()); err == nil {
		t.Fatal("got half of it")
	}
	again := *f
	fetch(t, &again)
	holds(t, &again, content)
	ranges("", fmt.Sprintf("bytes=%d-", part))

	t.Run("server that knows no ranges", func(t *testing.T) {
		calls := 0
		m.setFault(func(w http.ResponseWriter, r *http.Request, content []byte) bool {
			if !m.isProgram(r) {
				return false
			}
			if calls++; calls == 1 {
				return breakOff(w, r, content)
			}
			w.Header().Set("ETag", m.etag)
			w.Write(content)
			return true
		})
		f := m.fetcher()
		fetch(t, f)
		holds(t, f, content)
	})
	for _, honest := range []bool{true, false} {
		t.Run(fmt.Sprintf("changed in between, seen by the server: %v", honest), func(t *testing.T) {
			m.publish(content, 1)
			newer := variant("u-newer")
			calls := 0
			m.setFault(func(w http.ResponseWriter, r *http.Request, content []byte) bool {
				if !m.isProgram(r) {
					return false
				}
				if calls++; calls == 1 {
					breakOff(w, r, content)
					m.publish(newer, 2)
					return true
				}
				if !honest {
					r.Header.Del("If-Range")
				}
				return false
			})
			f := m.fetcher()
			if r := fetch(t, f); r.Version != "1.0.2" {
				t.Errorf("got %+v", r)
			}
			holds(t, f, newer)
		})
	}
	t.Run("part that does not fit", func(t *testing.T) {
		m.publish(content, 1)
		m.setFault(nil)
		f := m.fetcher()
		state := fmt.Sprintf(`{"partial":{"url":%q,"etag":%q,"size":%d}}`, f.URL, strings.ReplaceAll(m.etag, `"`, `\"`), len(content))
		state = strings.ReplaceAll(state, `\\\"`, `\"`)
		for name, data := range map[string]string{".json": state, ".part": strings.Repeat("x", 1000)} {
			if err := os.WriteFile(f.File+name, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.seen()
		fetch(t, f)
		holds(t, f, content)
		ranges("bytes=1000-", "")
	})
}

// A server that falls silent is left after StallWait, and asked again.
func TestHang(t *testing.T) {
	m := newFarm(t)
	content := variant("u-1")
	m.publish(content, 1)
	release := make(chan struct{})
	defer close(release)
	hung := false
	m.setFault(func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		if !m.isProgram(r) || hung {
			return false
		}
		hung = true
		w.Header().Set("ETag", m.etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content[:100_000])
		http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	f := m.fetcher()
	f.StallWait = time.Second
	fetch(t, f)
	holds(t, f, content)

	// The end of the context ends the wait.
	hung = false
	f = m.fetcher()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := f.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	m := newFarm(t)
	m.publish(variant("u-1"), 1)
	var times []time.Time
	m.setFault(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		times = append(times, time.Now())
		if len(times) > 1 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	fetch(t, m.fetcher())
	if wait := times[1].Sub(times[0]); wait < 900*time.Millisecond {
		t.Errorf("came back after %s", wait)
	}
}

// Without a key, programs come from this machine or by https, and only if that
// is allowed.
func TestUnsigned(t *testing.T) {
	m := newFarm(t)
	v1 := variant("u-1")
	m.publish(v1, 1)
	m.set(".sig", nil)
	f := m.fetcher()
	f.Keys = nil
	if _, err := f.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "no key to check") || hint.Of(err) == "" {
		t.Errorf("no key: %v", err)
	}
	f.AllowUnsigned = true
	fetch(t, f)
	holds(t, f, v1)
	// As in upstream's bucket, not even a digest.
	m.publish(variant("u-2"), 2)
	m.set(".sig", nil)
	m.set(".sha256", nil)
	if r := fetch(t, f); !r.Updated || r.Version != "" {
		t.Errorf("got %+v", r)
	}
	holds(t, f, variant("u-2"))
	m.publish(v1, 1)
	if _, err := f.Fetch(t.Context()); !errors.Is(err, ErrOlder) {
		t.Errorf("an older one: %v", err)
	}
	// A bucket of Google's tells the MD5 digest.
	m.publish(variant("u-3"), 3)
	m.set(".sha256", nil)
	m.setFault(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		w.Header().Set("X-Goog-Hash", "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA==")
		return false
	})
	if _, err := f.Fetch(t.Context()); !errors.Is(err, errMixed) {
		t.Errorf("another MD5 digest: %v", err)
	}
	for _, url := range []string{"http://192.0.2.1/dl/b", "http://farm.example/dl/b", "ftp://farm.example/b", "https://joe:swordfish@farm.example/b", "https://farm.example/", "buildlet"} {
		f.URL = url
		if _, err := f.Fetch(t.Context()); err == nil || hint.Of(err) == "" || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: %v", url, err)
		}
	}
	m.setFault(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		http.Redirect(w, r, "http://192.0.2.1/buildlet?token=swordfish", http.StatusFound)
		return true
	})
	f.URL = m.URL + "/dl/" + m.name
	if _, err := f.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "http://192.0.2.1/buildlet is plain http") {
		t.Errorf("a redirect: %v", err)
	}
}

// The URL's query, which may be a credential, is in no error.
func TestQueryIsSecret(t *testing.T) {
	m := newFarm(t)
	f := m.fetcher()
	f.URL += "?token=swordfish"
	if _, err := f.Fetch(t.Context()); err == nil || strings.Contains(err.Error(), "swordfish") {
		t.Error(err)
	}
	m.Server.Close()
	if _, err := f.Fetch(t.Context()); err == nil || strings.Contains(err.Error(), "swordfish") {
		t.Error(err)
	}
}

// A program that was taken before the release key was known, or by another, is
// not started until the key's holder has vouched for it.
func TestKeyGivenLater(t *testing.T) {
	other, err := release.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	m := newFarm(t)
	v1 := variant("u-1")
	m.publish(v1, 1)
	f := m.fetcher()
	keys := f.Keys
	f.Keys, f.AllowUnsigned = nil, true
	fetch(t, f)

	f.Keys = []release.PublicKey{other.Public()}
	if r, err := f.Fetch(t.Context()); !errors.Is(err, release.ErrOtherKey) || r.Digest != "" || !r.Untrusted {
		t.Errorf("signed by another: %+v, %v", r, err)
	}
	// Neither is it while the server cannot be asked.
	f.Keys = keys
	m.setFault(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		http.Error(w, "not now", http.StatusNotFound)
		return true
	})
	if r, err := f.Fetch(t.Context()); err == nil || r.Digest != "" {
		t.Errorf("nobody to ask: %+v, %v", r, err)
	}
	m.setFault(nil)
	if r := fetch(t, f); r.Updated || r.Version != "1.0.1" || r.Digest == "" {
		t.Errorf("vouched for: %+v", r)
	}
	m.seen()
	if r := fetch(t, f); r.Digest == "" {
		t.Errorf("up to date: %+v", r)
	}
	if forProgram, all := m.seen(); all != 1 || forProgram[0].Header.Get("If-None-Match") == "" {
		t.Errorf("%d requests", all)
	}
	// The farm changes its key.
	m.publishAs(other, release.Info{File: m.name, Version: "1.0.1", Signed: epoch.AddDate(0, 0, 2)}, v1)
	f.Keys = []release.PublicKey{other.Public()}
	if r := fetch(t, f); r.Updated || r.Digest == "" {
		t.Errorf("another key: %+v", r)
	}
	holds(t, f, v1)
}
