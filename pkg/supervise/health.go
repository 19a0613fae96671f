package supervise

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed status.html.tmpl
var pageText string

// Handler answers probes and people: GET / is a page, /status.json the Status,
// /healthz 200 or 503 with the reason, /metrics Prometheus's text format.
func Handler(status func() Status) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		var page strings.Builder
		if err := pageTemplate().Execute(&page, status()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		h.Set("Cache-Control", "no-store")
		io.WriteString(w, page.String())
	})
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.Encode(status())
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		st := status()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if !st.Up() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, st.Line())
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		io.WriteString(w, metrics(status()))
	})
	return mux
}

// pageTemplate parses the page when it is wanted: most workers show none.
func pageTemplate() *template.Template {
	return template.Must(template.New("status").Funcs(template.FuncMap{
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"ago":  func(t time.Time) string { return time.Since(t).Round(time.Second).String() },
	}).Parse(pageText))
}

// metrics writes a Status in Prometheus's text format.
func metrics(s Status) string {
	var b strings.Builder
	write := func(name, kind, help, labels string, value float64) {
		if help != "" {
			fmt.Fprintf(&b, "# HELP gobuild_worker_%s %s\n# TYPE gobuild_worker_%s %s\n", name, help, name, kind)
		}
		fmt.Fprintf(&b, "gobuild_worker_%s%s %s\n", name, labels, strconv.FormatFloat(value, 'f', -1, 64))
	}
	write("up", "gauge", "1 if the program runs and nothing is known to be wrong.", "", one(s.Up()))
	help := "1 for the state that the worker is in."
	for _, state := range states {
		write("state", "gauge", help, fmt.Sprintf("{state=%q}", state), one(s.State == state))
		help = ""
	}
	if s.Phase != nil {
		help := "1 for what the worker is to its farm."
		for _, phase := range phases {
			write("phase", "gauge", help, fmt.Sprintf("{phase=%q}", phase), one(s.Phase.Name == phase))
			help = ""
		}
		write("phase_since_seconds", "gauge", "Unix time at which the phase began.", "", float64(s.Phase.Since.Unix()))
	}
	write("state_since_seconds", "gauge", "Unix time at which the state began.", "", float64(s.Since.Unix()))
	write("trouble", "gauge", "1 if the program runs but does no good.", "", one(s.Trouble != ""))
	write("starts_total", "counter", "How often the program was started.", "", float64(s.Starts))
	write("failures_total", "counter", "How often it failed.", "", float64(s.Failures))
	write("strays_total", "counter", "Processes that outlived it and were killed.", "", float64(s.Strays))
	for _, fact := range s.Facts {
		if fact.Metric != "" {
			write(fact.Metric, "gauge", cmp.Or(fact.Help, fact.Name)+".", "", fact.Value)
		}
	}
	return b.String()
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
