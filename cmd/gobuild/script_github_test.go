//go:build !plan9

package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"gobuild/pkg/request/githubtest"
)

// githubs are the stand-ins for GitHub of the scripts that run.
var githubs sync.Map // *testscript.TestScript → *githubtest.Server

// scriptGitHub is "github COMMAND", a stand-in
// for GitHub with the repository golang/go:
//
//	github start                   start it; sets GOBUILD_GITHUB_API, GOBUILD_CA_FILE and token
//	github proxy                   a proxy that wants another password; sets HTTPS_PROXY
//	github push                    from now on labels are not dropped
//	github add TITLE [LABEL...]    an open issue of joe's
//	github comment NUMBER LOGIN TEXT
//	github lose                    from now on the answer to a filing is lost
//	github calls METHOD COUNT      so often was it called
//	github body NUMBER FILE        the issue's text
func scriptGitHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: github start|proxy|push|add|comment|lose|calls|body ...")
	}
	switch args[0] {
	case "start":
		startGitHub(ts)
		return
	case "proxy":
		startProxy(ts)
		return
	}
	found, ok := githubs.Load(ts)
	if !ok {
		ts.Fatalf("github start comes first")
	}
	s := found.(*githubtest.Server)
	args = append(args, "", "", "")
	switch number := 0; args[0] {
	case "push":
		s.Set(func(s *githubtest.Server) { s.Push = true })
	case "add":
		issue := githubtest.Issue{Title: args[1]}
		for _, label := range args[2 : len(args)-3] {
			issue.Labels = append(issue.Labels, githubtest.Label{Name: label})
		}
		s.Add(issue)
	case "comment":
		fmt.Sscan(args[1], &number)
		s.Comment(number, githubtest.Comment{User: githubtest.User{Login: args[2], Type: "User"}, Association: "MEMBER", Body: args[3]})
	case "lose":
		s.Set(func(s *githubtest.Server) {
			s.Filed = func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }
		})
	case "calls":
		fmt.Sscan(args[2], &number)
		if n := len(s.Calls(args[1])); n != number {
			ts.Fatalf("%d calls of %s, want %d", n, args[1], number)
		}
	case "body":
		fmt.Sscan(args[1], &number)
		for _, issue := range s.Issues() {
			if issue.Number == number {
				ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(issue.Body), 0o600))
			}
		}
	default:
		ts.Fatalf("github %s: unknown", args[0])
	}
}

func startGitHub(ts *testscript.TestScript) {
	s := &githubtest.Server{Repo: "golang/go", Prefix: "/api/v3"}
	srv := httptest.NewUnstartedServer(s)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	githubs.Store(ts, s)
	ts.Defer(func() {
		srv.Close()
		githubs.Delete(ts)
	})
	ca := ts.MkAbs("github-ca.pem")
	ts.Check(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	ts.Setenv("GOBUILD_CA_FILE", ca)
	ts.Setenv("GOBUILD_GITHUB_API", srv.URL+"/api/v3")
	ts.Setenv("github", strings.TrimPrefix(srv.URL, "https://"))
	ts.Setenv("token", githubtest.Token)
}

func startProxy(ts *testscript.TestScript) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="farm"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	ts.Defer(srv.Close)
	ts.Setenv("HTTPS_PROXY", strings.Replace(srv.URL, "http://", "http://joe:sesame@", 1))
}
