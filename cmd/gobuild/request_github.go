package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/plain"
	"gobuild/pkg/request"
	"gobuild/pkg/version"
)

// github returns the client for --github-api and --repo.
func (a *app) github(f requestFlags, token request.Token) (*request.GitHub, error) {
	roots, err := netdial.Roots(a.caFile)
	if err != nil {
		return nil, err
	}
	return request.NewGitHub(request.GitHubOptions{
		API: f.api, Repo: f.repo, Token: token,
		Dialer:    &netdial.Dialer{Roots: roots},
		UserAgent: "gobuild/" + version.String(),
		OnWait: func(why string, pause time.Duration) {
			fmt.Fprintf(a.stderr, "# %s; waiting %s\n", why, pause)
		},
	})
}

// requestGitHub files draft as an issue.
func (a *app) requestGitHub(ctx context.Context, f requestFlags, draft *request.Draft) error {
	token, err := request.FindToken(ctx, a.getenv, f.api)
	if err != nil {
		return err
	}
	g, err := a.github(f, token)
	if err != nil {
		return err
	}
	defer g.Close()
	if !f.repeat {
		open, err := g.Find(ctx, draft.Port)
		if err != nil {
			return hint.With(fmt.Errorf("nothing was filed, as there may be an open request already: %w", err),
				"%s\nif you have looked yourself: --allow-duplicate", hint.Of(err))
		}
		if len(open) > 0 {
			return a.isOpen(g, draft, open)
		}
	}
	if err := a.addReport(ctx, f, draft); err != nil {
		return err
	}
	filed, err := g.File(ctx, draft)
	if err != nil {
		return err
	}
	return a.printFiled(g, draft, filed)
}

// webWait bounds the search before a form is shown.
const webWait = 15 * time.Second

// requestWeb shows the form for draft.
func (a *app) requestWeb(ctx context.Context, f requestFlags, draft *request.Draft) error {
	token, err := request.EnvToken(a.getenv)
	if err != nil {
		return err
	}
	g, err := a.github(f, token)
	if err != nil {
		return err
	}
	defer g.Close()
	if !f.repeat {
		// The one who files sees the list of issues, too: go on without.
		short, cancel := context.WithTimeout(ctx, webWait)
		defer cancel()
		open, err := g.Find(short, draft.Port)
		if err != nil && ctx.Err() == nil {
			a.warn(fmt.Sprintf("look yourself whether a request for %s is open already; %v", draft.Port, err))
		}
		if len(open) > 0 {
			return a.isOpen(g, draft, open)
		}
	}
	if err := a.addReport(ctx, f, draft); err != nil {
		return err
	}
	form, err := draft.Web(g)
	if err != nil {
		return err
	}
	a.warnNoCSR(draft)
	for _, what := range form.LeftOut {
		a.warn(fmt.Sprintf("the address has no room for the %s: %s", what, attachText(what, draft.Hostname)))
	}
	if a.isTerminal(a.stdout) && !a.jsonOut && request.OpenBrowser(ctx, form.URL) {
		fmt.Fprintln(a.stderr, "# the browser should show the form now; if not, this is its address")
	}
	if a.jsonOut {
		return a.printJSON(form)
	}
	_, err = fmt.Fprintln(a.stdout, form.URL)
	return err
}

// attachText says how to bring along what a form had no room for.
func attachText(what, host string) string {
	switch what {
	case "CSR":
		return fmt.Sprintf("attach %s.csr.txt", host)
	case "readiness report":
		return fmt.Sprintf("attach a file with what gobuild doctor prints, as %s.doctor.txt", host)
	}
	return "add them by hand"
}

// printFiled says what was filed, and what comes next.
func (a *app) printFiled(g *request.GitHub, draft *request.Draft, filed request.Filed) error {
	if filed.Recovered {
		fmt.Fprintln(a.stderr, "# it was filed; only the answer was lost")
	}
	if labels := strings.Join(filed.MissingLabels, ", "); labels != "" && draft.LabelBot() {
		fmt.Fprintf(a.stderr, "# the label %s is set in a while, by gopherbot: GitHub drops it where one may not set it\n", labels)
	} else if labels != "" {
		a.warn(fmt.Sprintf("GitHub dropped the label %s, which you may not set in %s: ask for it in a comment", labels, g.Repo()))
	}
	a.warnNoCSR(draft)
	if a.jsonOut {
		return a.printJSON(filed)
	}
	fmt.Fprintf(a.stderr, "# filed; see how it goes with: gobuild request status %d\n", filed.Number)
	_, err := fmt.Fprintln(a.stdout, plain.Text(filed.URL))
	return err
}

// warnNoCSR says what is missing where draft has no CSR.
func (a *app) warnNoCSR(draft *request.Draft) {
	if draft.CSRFile == "" {
		a.warn(fmt.Sprintf("the request has no CSR: attach %s.csr.txt to it, which gobuild csr %s makes", draft.Hostname, draft.Hostname))
	}
}

// isOpen is the outcome where requests for the port are open.
func (a *app) isOpen(g *request.GitHub, draft *request.Draft, open []request.Issue) error {
	if a.jsonOut {
		if err := a.printJSON(map[string]any{"open": open}); err != nil {
			return err
		}
	}
	var list strings.Builder
	for _, issue := range open {
		fmt.Fprintf(&list, "\n#%d by %s, %s old: %s\n%s", issue.Number, issue.Author, age(issue.Created), issue.Title, issue.URL)
	}
	return hint.With(fmt.Errorf("nothing was filed: %s has an open request for %s already%s", g.Repo(), draft.Port, list.String()),
		"if it is about your machine, go on there; for another machine of this port add --allow-duplicate")
}
