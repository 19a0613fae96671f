package coordinator

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildconfig"
)

//go:embed page/*.html
var pageFiles embed.FS

// pages are parsed when they are first wanted: most commands never do.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"ago":     func(t time.Time) string { return roughly(time.Since(t)) },
		"until":   func(t time.Time) string { return roughly(time.Until(t)) },
		"join":    func(list []string) string { return strings.Join(list, ", ") },
		"missing": func(t api.HostType) int { return max(t.Expected-t.Total, 0) },
		// A machine that is heard of every 10 s or so is late after 30.
		"late": func(h api.Host) bool { return !h.Heard.IsZero() && time.Since(h.Heard) > 30*time.Second },
	}).ParseFS(pageFiles, "page/*.html"))
})

// roughly returns d to whole units, as 3h20m or 12s.
func roughly(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// maxAsked is how many requests for new machines the status page shows.
const maxAsked = 100

// serveStatusPage shows the reverse pool, the instances, and who waits to be
// taken in: of that, nothing that only owner and maintainer are to know.
func (c *Coordinator) serveStatusPage(w http.ResponseWriter, r *http.Request) {
	asked, err := c.asked.list(r.Context(), func(q api.Request) bool { return q.Turn != api.TurnNobody })
	if err != nil {
		c.log.Error("requests not shown", "err", err)
	}
	shown := asked[:min(len(asked), maxAsked)]
	c.servePage(w, "status.html", struct {
		Program    string
		Started    time.Time
		Dev        bool
		Pool       api.Pool
		Instances  []api.Instance
		Asked      []api.Request
		MoreAsked  int
		AskedError error
	}{c.opts.Program, c.started, c.opts.Dev, c.pool.snapshot(), c.insts.list(""), shown, len(asked) - len(shown), err})
}

// builderRow is a builder type on the page.
type builderRow struct {
	*buildconfig.Builder
	Owners string
}

// serveBuildersPage shows the configuration; with ?mode=json in upstream's
// shape (build protocol, section 7.4).
func (c *Coordinator) serveBuildersPage(w http.ResponseWriter, r *http.Request) {
	conf := c.opts.Config
	if r.FormValue("mode") == "json" {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "\t")
		enc.Encode(conf)
		return
	}
	var page struct {
		Builders []builderRow
		Hosts    []*buildconfig.Host
	}
	for _, name := range conf.BuilderNames() {
		b := conf.Builders[name]
		page.Builders = append(page.Builders, builderRow{b, owners(conf.Hosts[b.HostType])})
	}
	for _, name := range conf.HostTypes() {
		page.Hosts = append(page.Hosts, conf.Hosts[name])
	}
	c.servePage(w, "builders.html", page)
}

// owners names h's owners.
func owners(h *buildconfig.Host) string {
	var names []string
	for _, p := range h.Owners {
		if p.GitHub != "" {
			names = append(names, "@"+p.GitHub)
		} else {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (c *Coordinator) servePage(w http.ResponseWriter, name string, data any) {
	var buf bytes.Buffer
	if err := pages().ExecuteTemplate(&buf, name, data); err != nil {
		c.log.Error("page not made", "page", name, "err", err)
		http.Error(w, "this page could not be made; the coordinator's log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.Write(buf.Bytes())
}
