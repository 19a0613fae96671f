package machinetoken

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// metrics is what a Daemon counts.
type metrics struct {
	mu       sync.Mutex
	runs     map[string]int // by outcome
	attempts int
	lastRun  time.Time
	duration time.Duration // of the last run
	skew     Skew
	token    TokenFile
	fqdn     string
	failure  string // the last run's; empty if it had none
}

func (m *metrics) count(r Result, start time.Time, duration time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == nil {
		m.runs = map[string]int{}
	}
	m.runs[r.Outcome]++
	m.attempts += r.Attempts
	m.lastRun, m.duration = start, duration
	m.token, m.fqdn, m.failure = r.token, r.FQDN, ""
	if r.Skew.Known {
		m.skew = r.Skew
	}
	if r.Err != nil {
		m.failure = r.Err.Error()
	}
}

// ServeHTTP answers /metrics, in Prometheus's text form, and /healthz: 200
// while there is a token that is good, 503 otherwise. It may be called while
// the daemon runs, and shows no secret.
func (d *Daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	switch r.URL.Path {
	case "/metrics":
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		d.metrics.write(w)
	case "/healthz":
		d.health(w)
	default:
		http.NotFound(w, r)
	}
}

func (d *Daemon) health(w http.ResponseWriter) {
	m := &d.metrics
	m.mu.Lock()
	token, failure := m.token, m.failure
	m.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "token until " + until(token.Expiry)
	if token.Token == "" || !token.Expiry.After(d.now()) {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = "no token that is good"
	}
	if failure != "" {
		text += "; the last run failed: " + failure
	}
	fmt.Fprintln(w, text)
}

// write writes the metrics in Prometheus's text form. They are too few to be
// worth its client library.
func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	metric := func(name, kind, help string, value any, labels ...string) {
		fmt.Fprintf(w, "# HELP gobuild_tokend_%s %s\n# TYPE gobuild_tokend_%[1]s %[3]s\n", name, help, kind)
		fmt.Fprintf(w, "gobuild_tokend_%s%s %v\n", name, strings.Join(labels, ""), value)
	}
	fmt.Fprintf(w, "# HELP gobuild_tokend_runs_total Runs, by outcome.\n# TYPE gobuild_tokend_runs_total counter\n")
	for _, outcome := range slices.Sorted(maps.Keys(m.runs)) {
		fmt.Fprintf(w, "gobuild_tokend_runs_total{outcome=%q} %d\n", outcome, m.runs[outcome])
	}
	metric("attempts_total", "counter", "Calls of the token server, retries included.", m.attempts)
	metric("last_run_timestamp_seconds", "gauge", "When the last run began, in Unix time.", unix(m.lastRun))
	metric("last_run_duration_seconds", "gauge", "How long the last run took.", m.duration.Seconds())
	metric("last_run_success", "gauge", "1 if the last run succeeded.", map[bool]int{true: 1}[m.failure == ""])
	metric("token_expiry_timestamp_seconds", "gauge", "When the token ends, in Unix time; 0 for no token.", unix(m.token.Expiry))
	metric("token_last_update_timestamp_seconds", "gauge", "When the token was got, in Unix time; 0 for no token.", unix(m.token.LastUpdate))
	metric("token_next_update_timestamp_seconds", "gauge", "From when on the next token is asked for, in Unix time; 0 for no token.", unix(m.token.NextUpdate))
	if m.skew.Known {
		metric("clock_ahead_seconds", "gauge", "How far this machine's clock is ahead of the token server's.", m.skew.Ahead.Seconds())
	}
	metric("info", "gauge", "The version, and the machine's name in the token.", 1, fmt.Sprintf("{version=%q,host=%q}", tokendVersion(), m.fqdn))
}
