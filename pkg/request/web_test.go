package request

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWeb(t *testing.T) {
	g, err := NewGitHub(GitHubOptions{API: DefaultAPI, Repo: DefaultRepo})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		change  func(*Options)
		leftOut []string
	}{
		{"all", func(*Options) {}, []string{}},
		{"long report", func(*Options) {}, []string{"readiness report"}},
		{"long notes", func(o *Options) { o.Notes = strings.Repeat("é", 900) }, []string{"readiness report", "CSR"}},
		{"longest notes", func(o *Options) { o.Notes = strings.Repeat("é", maxNotes/2) }, []string{"readiness report", "notes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := good()
			tt.change(&opts)
			report := goodReport
			if tt.name == "long report" {
				report = strings.Repeat("ok  line\n", 1000)
			}
			d, err := New(opts)
			if err == nil {
				err = d.AddReport(report)
			}
			if err != nil {
				t.Fatal(err)
			}
			form, err := d.Web(g)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(form.URL)
			if err != nil || len(form.URL) > maxURL || !strings.HasPrefix(form.URL, "https://github.com/golang/go/issues/new?") {
				t.Fatalf("%d bytes, %v: %s", len(form.URL), err, form.URL)
			}
			q := u.Query()
			if q.Get("title") != d.Title || q.Get("labels") != Label {
				t.Errorf("title %q, labels %q", q.Get("title"), q.Get("labels"))
			}
			if !slices.Equal(form.LeftOut, tt.leftOut) {
				t.Errorf("left out %q, want %q", form.LeftOut, tt.leftOut)
			}
			body := q.Get("body")
			for what, sign := range map[string]string{"CSR": "attachment, `linux-riscv64-joe.csr.txt`", "readiness report": "report follows as an attachment"} {
				if strings.Contains(body, sign) != slices.Contains(tt.leftOut, what) {
					t.Errorf("%s: the body says so: %v\n%s", what, strings.Contains(body, sign), body)
				}
			}
			if len(tt.leftOut) == 0 && body != d.Body {
				t.Error("the form's body is another")
			}
		})
	}
}

func TestOpenBrowser(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("the stand-in for a browser is a script of sh")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if OpenBrowser(t.Context(), "https://github.com/") {
		t.Error("opened by nothing")
	}
	seen := filepath.Join(dir, "seen")
	if err := os.WriteFile(filepath.Join(dir, openers[0][0]), []byte("#!/bin/sh\necho \"$1\" >"+seen+".new && /bin/mv "+seen+".new "+seen), 0o755); err != nil {
		t.Fatal(err)
	}
	const address = "https://github.com/golang/go/issues/new?a=1&b=$(id)"
	if !OpenBrowser(t.Context(), address) {
		t.Fatal("not opened")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got, err := os.ReadFile(seen); err == nil {
			if string(got) != address+"\n" {
				t.Errorf("opened %q", got)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the browser was not started")
		}
	}
}
