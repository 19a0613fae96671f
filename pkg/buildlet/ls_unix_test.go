//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package buildlet

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// tree makes a tree with an entry of each kind.
func tree(s *testServer) {
	s.t.Helper()
	when := time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
	s.put("d/b/deep", "deep", 0o640)
	s.put("d/a.txt", "hello\n", 0o644)
	s.put("d/set", "", 0o755)
	mkfifo(s.t, s.path("d/pipe"), 0o600)
	for _, err := range []error{
		os.Chmod(s.path("d/set"), 0o755|os.ModeSetuid),
		os.Symlink("a.txt", s.path("d/link")),
		os.Chmod(s.path("d/b"), 0o755),
		os.Chtimes(s.path("d/a.txt"), when, when),
		os.Chtimes(s.path("d/set"), when, when),
		os.Chtimes(s.path("d/b/deep"), when, when),
	} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// The lines are exactly those of the build protocol, section 3.6.
func TestLs(t *testing.T) {
	s := serve(t, Options{})
	tree(s)
	const (
		when  = "2020-02-03T04:05:06Z"
		hello = "\tf572d396fae9206628714fb2ce00f72e94f2258f"
		none  = "\tda39a3ee5e6b4b0d3255bfef95601890afd80709"
	)
	for _, tt := range []struct{ query, want string }{
		{"dir=d", "-rw-r--r--\ta.txt\t6\t" + when + "\ndrwxr-xr-x\tb/\nLrwxrwxrwx\tlink\nprw-------\tpipe\nurwxr-xr-x\tset\t0\t" + when + "\n"},
		{"dir=d&digest=true&skip=b", "-rw-r--r--\ta.txt\t6\t" + when + hello + "\nLrwxrwxrwx\tlink\nprw-------\tpipe\nurwxr-xr-x\tset\t0\t" + when + none + "\n"},
		{"dir=d/b&recursive=1", "-rw-r-----\tdeep\t4\t" + when + "\n"},
		{"dir=d&recursive=true&skip=a.txt", "-rw-r--r--\ta.txt\t6\t" + when + "\ndrwxr-xr-x\tb/\n-rw-r-----\tb/deep\t4\t" + when + "\nLrwxrwxrwx\tlink\nprw-------\tpipe\nurwxr-xr-x\tset\t0\t" + when + "\n"},
		{"dir=d/a.txt", "-rw-r--r--\t\t6\t" + when + "\n"},
		{"skip=d&skip=tmp&skip=gocache&skip=goplscache", ""},
		{"dir=gocache", ""},
	} {
		if status, got := s.do("GET", "/ls?"+tt.query, nil); status != 200 || got != tt.want {
			t.Errorf("%s: %d\n%q, want\n%q", tt.query, status, got, tt.want)
		}
	}
	for query, want := range map[string]string{
		"dir=../x":   "refers to a parent directory",
		"dir=/etc":   "is not relative",
		"dir=d/none": "Walk error",
	} {
		if status, got := s.do("GET", "/ls?"+query, nil); status == 200 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %q, want an error with %q", query, status, got, want)
		}
	}
}

// An archive that is fetched and unpacked elsewhere gives the same tree.
func TestTgzRoundTrip(t *testing.T) {
	s := serve(t, Options{})
	tree(s)
	if err := os.Remove(s.path("d/pipe")); err != nil { // has no content to travel
		t.Fatal(err)
	}
	if err := os.Chmod(s.path("d/set"), 0o755); err != nil { // strangers set no such bits
		t.Fatal(err)
	}
	if err := os.Chmod(s.path("d/b"), 0o555); err != nil {
		t.Fatal(err)
	}
	c := s.client()
	body, err := c.GetTar(t.Context(), "d")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if err := c.PutTar(t.Context(), body, "copy"); err != nil {
		t.Fatal(err)
	}
	list := func(dir string) (lines string) {
		err := c.List(t.Context(), dir, ListOptions{Recursive: true, Digest: true}, func(e Entry) error {
			lines += e.Line + "\n"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	if before, after := list("d"), list("copy"); before != after || before == "" {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	for _, name := range []string{"b", "b/deep", "a.txt"} {
		before, err := os.Stat(s.path("d/" + name))
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.Stat(s.path("copy/" + name))
		if err != nil || !before.ModTime().Truncate(time.Second).Equal(after.ModTime().Truncate(time.Second)) {
			t.Errorf("%s: changed %s, before %s (%v)", name, after.ModTime(), before.ModTime(), err)
		}
	}
	if target, err := os.Readlink(s.path("copy/link")); err != nil || target != "a.txt" {
		t.Errorf("link to %q, %v", target, err)
	}
}

func TestTgzRefusals(t *testing.T) {
	s := serve(t, Options{})
	for query, want := range map[string]string{
		"":         "invalid 'dir' parameter: path not provided",
		"dir=":     "invalid 'dir' parameter: path not provided",
		"dir=..":   "refers to a parent directory",
		"dir=none": "no such file",
	} {
		if status, got := s.do("GET", "/tgz?"+query, nil); status == 200 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %q, want an error with %q", query, status, got, want)
		}
	}
}

// Neither links within the tree nor one as the directory itself lead out.
func TestWalksStayInside(t *testing.T) {
	s := serve(t, Options{})
	secret := s.dir + "/secret"
	if err := os.MkdirAll(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret+"/file", []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"abs": secret, "rel": "../secret"} {
		if err := os.Symlink(target, s.path(name)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/ls?dir=%s", "/ls?recursive=1&dir=%s", "/tgz?dir=%s"} {
			if status, got := s.do("GET", fmt.Sprintf(path, url.QueryEscape(name)), nil); status == 200 {
				t.Errorf("%s with %s: 200 %q", path, target, got)
			}
		}
	}
	if _, got := s.do("GET", "/ls?recursive=1&digest=1", nil); strings.Contains(got, "file") {
		t.Errorf("the listing follows a link: %q", got)
	}
}
