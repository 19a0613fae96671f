package request

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/request/githubtest"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// fakeGH puts a program gh with a shell script into an otherwise empty PATH.
func fakeGH(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("the stand-in for gh is a script of sh")
	}
	dir := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestTokenOfEnvironment(t *testing.T) {
	fakeGH(t, "echo of-gh")
	for _, tt := range []struct {
		name   string
		getenv func(string) string
		secret string
		from   string
	}{
		{"GITHUB_TOKEN", env("GITHUB_TOKEN", " one\n", "GH_TOKEN", "two"), "one", "$GITHUB_TOKEN"},
		{"GH_TOKEN", env("GH_TOKEN", "two", "GITHUB_TOKEN", " "), "two", "$GH_TOKEN"},
		{"gh", env(), "of-gh", "gh auth token"},
	} {
		token, err := FindToken(t.Context(), tt.getenv, DefaultAPI)
		if err != nil || token.secret != tt.secret || token.from != tt.from {
			t.Errorf("%s: %#v, %v", tt.name, token, err)
		}
	}
	for _, bad := range []string{"two words", "line\nbreak", "\x00", "ünder"} {
		if _, err := FindToken(t.Context(), env("GITHUB_TOKEN", bad), DefaultAPI); err == nil || strings.Contains(err.Error()+hint.Of(err), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTokenOfGH(t *testing.T) {
	for _, tt := range []struct{ name, script, text string }{
		{"none there", "", "there is no gh here"},
		{"not logged in", "echo 'no oauth token found for github.com' >&2; exit 1", "gh auth token: no oauth token found for github.com"},
		{"old", "exit 2", "exit status 2"},
		{"empty", "true", "is no token"},
		{"chatty", "echo two words", "is no token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeGH(t, tt.script)
			_, err := FindToken(t.Context(), env(), DefaultAPI)
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("error %v, want %q", err, tt.text)
			}
			if h := hint.Of(err); !strings.Contains(h, "https://github.com/settings/tokens") || !strings.Contains(h, "--web") {
				t.Errorf("hint %q", h)
			}
		})
	}
	fakeGH(t, `echo "$*" >`+filepath.Join(t.TempDir(), "args")+`; test "$4" = git.example && echo good`)
	if token, err := FindToken(t.Context(), env(), "https://git.example/api/v3"); err != nil || token.secret != "good" {
		t.Errorf("for another host: %v, %v", token, err)
	}
}

// A gh that hangs, with a child that holds its output, ends.
func TestTokenOfHangingGH(t *testing.T) {
	sleep := "/bin/sleep 60"
	fakeGH(t, sleep+" & "+sleep)
	api, err := parseAPI(DefaultAPI)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = ghToken(t.Context(), api, 100*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "within 100ms") || time.Since(start) > 30*time.Second {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
}

// However a token is printed, it does not show.
func TestTokenPrintsAsItsPlace(t *testing.T) {
	for _, format := range []string{"%v", "%s", "%q", "%#v", "%+v", "%x"} {
		for _, v := range []any{testToken, &testToken, GitHubOptions{Token: testToken}} {
			got := fmt.Sprintf(format, v)
			if strings.Contains(got, githubtest.Token) || strings.Contains(got, fmt.Sprintf("%x", githubtest.Token)) {
				t.Errorf("%s of %T: %s", format, v, got)
			}
		}
	}
}
