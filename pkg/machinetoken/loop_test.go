package machinetoken

import (
	"context"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// The loop gets a token, a new one when the file is gone or the certificate is
// another, serves its metrics meanwhile, and ends without an error.
func TestRun(t *testing.T) {
	f := newFarm(t)
	d := f.daemon()
	d.tick = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	page := func(path string) (int, string) {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	has := func() bool { _, err := os.Stat(f.path("token.json")); return err == nil }
	await(t, "a token", has)
	if _, err := lockToken(f.path("token.json")); !errors.Is(err, errHeld) {
		t.Errorf("the lock: %v", err)
	}
	await(t, "health", func() bool { code, _ := page("/healthz"); return code == 200 })
	_, metrics := page("/metrics")
	for _, want := range []string{
		"# TYPE gobuild_tokend_runs_total counter\ngobuild_tokend_runs_total{outcome=\"UPDATE_SUCCESS\"} 1\n",
		"gobuild_tokend_attempts_total 1\n", "gobuild_tokend_last_run_success 1\n", "host=\"" + testHost + ".bots.golang.org\"} 1\n",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in:\n%s", want, metrics)
		}
	}
	f.checkSecrets(metrics)

	os.Remove(f.path("token.json"))
	await(t, "a token in place of one that was removed", has)
	calls := f.calls()
	f.issue(func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x20) })
	await(t, "a token for another certificate", func() bool { return f.calls() > calls })
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	lock, err := lockToken(f.path("token.json"))
	if err != nil {
		t.Fatalf("the lock is not given up: %v", err)
	}
	lock.unlock()
}

// A final error is not asked about again for a minute; a new certificate is
// tried at once.
func TestRunAfterFailure(t *testing.T) {
	f := newFarm(t)
	f.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	d := f.daemon()
	d.tick = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	await(t, "a call", func() bool { return f.calls() == 1 })
	time.Sleep(100 * time.Millisecond)
	if n := f.calls(); n != 1 {
		t.Errorf("%d calls about a final error", n)
	}
	code := httptest.NewRecorder()
	d.ServeHTTP(code, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if code.Code != 503 || !strings.Contains(code.Body.String(), "UNTRUSTED_CERTIFICATE") {
		t.Errorf("health %d %s", code.Code, code.Body)
	}
	f.issue(func(*x509.Certificate) {})
	await(t, "a token", func() bool { _, err := os.Stat(f.path("token.json")); return err == nil })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if log := f.log.String(); !strings.Contains(log, "seen here: valid expired on") {
		t.Errorf("the log does not say what is wrong with the certificate:\n%s", log)
	}
}

// The loop waits for half of a token's life and a little more.
func TestPauses(t *testing.T) {
	now := time.Now()
	file := TokenFile{LastUpdate: now, NextUpdate: now.Add(30 * time.Minute)}
	for range 1000 {
		if s := spread(file); s < 0 || s > 3*time.Minute {
			t.Fatalf("spread %s", s)
		}
		for failures := range 20 {
			if p := failurePause(failures, false); p < time.Minute || p > lastPause*5/4 {
				t.Fatalf("pause %s after %d final errors", p, failures)
			}
			if p := failurePause(failures, true); p < 15*time.Second || p > lastPause*5/4 {
				t.Fatalf("pause %s after %d errors", p, failures)
			}
		}
	}
	if spread(TokenFile{}) != 0 {
		t.Error("spread without times")
	}
}

func TestHTTP(t *testing.T) {
	d := &Daemon{}
	for _, tt := range []struct {
		method, path string
		code         int
	}{{"GET", "/", 404}, {"POST", "/metrics", 405}, {"GET", "/healthz", 503}, {"HEAD", "/metrics", 200}} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.code {
			t.Errorf("%s %s: %d", tt.method, tt.path, w.Code)
		}
	}
}
