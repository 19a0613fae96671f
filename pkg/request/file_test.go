package request

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/request/githubtest"
)

func TestFile(t *testing.T) {
	for _, push := range []bool{true, false} {
		s := server()
		s.Push = push
		g, _ := serve(t, s, testToken)
		d := mustDraft(t)
		filed, err := g.File(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		issues := s.Issues()
		if len(issues) != 1 || issues[0].Title != d.Title || issues[0].Body != d.Body {
			t.Errorf("filed as %+v", issues)
		}
		if filed.URL != issues[0].HTMLURL || filed.Recovered || filed.Author != "joe" {
			t.Errorf("%+v", filed)
		}
		// Who may not push gets no label, and is told.
		if missing := len(filed.MissingLabels) == 1; missing == push {
			t.Errorf("push %v: missing labels %q", push, filed.MissingLabels)
		}
	}
}

// hijack takes the connection of a call, to treat it badly.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

// TestAnswerLost breaks the filing after GitHub has it: it is not sent again,
// and the issue is found.
func TestAnswerLost(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter, r *http.Request){
		"cut":        func(w http.ResponseWriter, r *http.Request) { hijack(w).Close() },
		"500":        func(w http.ResponseWriter, r *http.Request) { githubtest.Error(w, 500, "Server Error", "") },
		"502":        func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"503":        func(w http.ResponseWriter, r *http.Request) { githubtest.Error(w, 503, "Service unavailable", "") },
		"504":        func(w http.ResponseWriter, r *http.Request) { http.Error(w, "", http.StatusGatewayTimeout) },
		"time-out":   func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no JSON":    func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); fmt.Fprint(w, "<html>") },
		"other JSON": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); fmt.Fprint(w, "{}") },
		"accepted":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202) },
		"half": func(w http.ResponseWriter, r *http.Request) {
			conn := hijack(w)
			fmt.Fprint(conn, "HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{\"number\": 1,")
			conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := server()
			s.Filed = lose
			g, _ := serve(t, s, testToken)
			g.answerWait = 500 * time.Millisecond
			d := mustDraft(t)
			// A connection that is kept must not make net/http send twice.
			if _, err := g.Find(t.Context(), d.Port); err != nil {
				t.Fatal(err)
			}
			filed, err := g.File(t.Context(), d)
			if err != nil || !filed.Recovered || filed.Number != 1 || filed.URL == "" {
				t.Errorf("%+v, %v", filed, err)
			}
			if n := len(s.Calls("POST")); n != 1 {
				t.Errorf("%d POSTs", n)
			}
		})
	}
}

// Where the issue cannot be found, the owner is told to look; it is not sent
// again.
func TestAnswerLostForGood(t *testing.T) {
	s := server()
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "POST" {
			hijack(w).Close()
		}
		return r.Method == "POST"
	}
	g, _ := serve(t, s, testToken)
	// Another's request of the same title is not taken for this one.
	s.Add(githubtest.Issue{Title: mustDraft(t).Title, Body: mustDraft(t).Body})
	filed, err := g.File(t.Context(), mustDraft(t))
	if err == nil || !strings.Contains(err.Error(), "may have been filed all the same") || !strings.Contains(hint.Of(err), "/golang/go/issues?q=") {
		t.Errorf("%+v, error %v, hint %q", filed, err, hint.Of(err))
	}
	if posts, gets := len(s.Calls("POST")), len(s.Calls("GET")); posts != 1 || gets != 3 {
		t.Errorf("%d POSTs, %d GETs", posts, gets)
	}
}

// Who interrupts the filing is told that it may have happened.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := server()
	s.Filed = func(w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }
	g, _ := serve(t, s, testToken)
	_, err := g.File(ctx, mustDraft(t))
	if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "may have been filed") {
		t.Errorf("error %v", err)
	}
	if n := len(s.Calls("POST")); n != 1 {
		t.Errorf("%d POSTs", n)
	}
}

// A short rate limit is waited out, whoever named it; a refusal is none.
func TestShortRateLimit(t *testing.T) {
	for name, limit := range map[string]func(w http.ResponseWriter){
		"secondary": func(w http.ResponseWriter) { w.Header().Set("Retry-After", "2") },
		"primary": func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(2*time.Second).Unix()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := server()
			s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
				limited := r.Method == "POST" && len(s.Calls("POST")) == 1
				if limited {
					limit(w)
					githubtest.Error(w, 403, "You have exceeded a rate limit.", "")
				}
				return limited
			}
			g, _ := serve(t, s, testToken)
			var waited time.Duration
			g.opts.OnWait = func(why string, pause time.Duration) { waited += pause }
			filed, err := g.File(t.Context(), mustDraft(t))
			if err != nil || filed.Recovered || len(s.Issues()) != 1 {
				t.Errorf("%+v, %v, %d issues", filed, err, len(s.Issues()))
			}
			if units := waited / g.unit; units < 2 || units > 4 {
				t.Errorf("waited %d units", units)
			}
		})
	}
	s := server()
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		githubtest.Error(w, 429, "slow down", "")
		return true
	}
	g, _ := serve(t, s, testToken)
	if _, err := g.File(t.Context(), mustDraft(t)); err == nil || len(s.Calls("POST")) != fileAttempts {
		t.Errorf("%v after %d POSTs", err, len(s.Calls("POST")))
	}
}

// Without a connection nothing can have been filed: it is sent again.
func TestNoConnection(t *testing.T) {
	g, srv := serve(t, server(), testToken)
	srv.Close()
	waits := 0
	g.opts.OnWait = func(why string, _ time.Duration) {
		if waits++; why != "no connection" {
			t.Errorf("waits for %q", why)
		}
	}
	_, err := g.File(t.Context(), mustDraft(t))
	if err == nil || waits != fileAttempts-1 || strings.Contains(err.Error(), "may have been filed") {
		t.Errorf("error %v after %d waits", err, waits)
	}
}

func TestFind(t *testing.T) {
	label := []githubtest.Label{{Name: Label}, {Name: "Builders"}}
	for title, labelled := range map[string]struct{ with, without bool }{
		"x/build: add linux-arm builder":              {true, true},
		"x/build: add LUCI linux-arm builder":         {true, true},
		"x/build: add a linux/arm builder":            {true, true},
		"X/Build: Add new Linux-ARM builder, please":  {true, true},
		"x/build: linux-arm is wanted":                {true, false},
		"x/build: linux-arm builder is offline":       {true, false},
		"x/build: add linux-arm64 builder":            {false, false},
		"x/build: add linux-armbe builder":            {false, false},
		"x/build: add linux-arm-longtest builder":     {false, false},
		"x/build: add LUCI darwin-arm64 builder":      {false, false},
		"cmd/go: crash on the linux-arm builder":      {true, false},
		"x/build: add freebsd-arm and linux-arm":      {true, false},
		"x/build: add LUCI plan9-linux-arm64 builder": {false, false},
	} {
		for _, with := range []bool{true, false} {
			s := server()
			issue := githubtest.Issue{Title: title}
			want := labelled.without
			if with {
				issue.Labels, want = label, labelled.with
			}
			s.Add(issue)
			g, _ := serve(t, s, Token{})
			list, err := g.Find(t.Context(), "linux-arm")
			if err != nil {
				t.Fatal(err)
			}
			if (len(list) == 1) != want {
				t.Errorf("%q, label %v: found %v, want %v", title, with, list, want)
			}
		}
	}
}

// Of many, all pages are read; closed ones and pull requests do not count.
func TestFindAmongMany(t *testing.T) {
	s := server()
	label := []githubtest.Label{{Name: Label}}
	for n := range 250 {
		issue := githubtest.Issue{Title: fmt.Sprintf("x/build: add linux-arm%d builder", n), Labels: label}
		switch n {
		case 3, 240:
			issue.Title = "x/build: add LUCI linux-arm builder"
		case 4:
			issue.Title, issue.State = "x/build: add LUCI linux-arm builder", "closed"
		case 5:
			issue.Title, issue.PullRequest = "x/build: add LUCI linux-arm builder", &struct{}{}
		}
		s.Add(issue)
	}
	g, _ := serve(t, s, testToken)
	list, err := g.Find(t.Context(), "linux-arm")
	if err != nil || len(list) != 2 || list[0].Number != 241 || list[1].Number != 4 {
		t.Errorf("%+v, %v", list, err)
	}
}

// A search that did not get to its end proves nothing.
func TestFindIncomplete(t *testing.T) {
	s := server()
	s.Trouble = func(w http.ResponseWriter, r *http.Request) bool {
		search := strings.Contains(r.URL.Path, "/search/")
		if search {
			fmt.Fprint(w, `{"total_count":0,"incomplete_results":true,"items":[]}`)
		}
		return search
	}
	g, _ := serve(t, s, testToken)
	if _, err := g.Find(t.Context(), "linux-arm"); err == nil || hint.Of(err) == "" {
		t.Errorf("error %v", err)
	}
}
