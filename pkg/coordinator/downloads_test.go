package coordinator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// download makes a request for a download.
func (f *testFarm) download(method, name string, header ...string) (*http.Response, string) {
	f.t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return f.dialer.DialTLS(ctx, addr)
	}}}
	req, err := http.NewRequestWithContext(f.t.Context(), method, "https://"+f.addr+"/dl/"+name, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp, string(body)
}

func TestDownloads(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("buildlet"), 100_000)
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	changed := time.Unix(1_790_000_000, 0)
	put := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("buildlet.linux-riscv64", string(content))
	put("buildlet.linux-riscv64.sha256", "the digest")
	put("secret", "swordfish")
	put("buildlet.linux-riscv64.key", "swordfish")
	os.Chtimes(filepath.Join(dir, "buildlet.linux-riscv64"), changed, changed)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("swordfish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "buildlet.linux-arm64")); err != nil {
		t.Log(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "buildlet.linux-386"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFarm(t, Options{Downloads: dir})

	resp, body := f.download("GET", "buildlet.linux-riscv64")
	if resp.StatusCode != 200 || body != string(content) || resp.Header.Get("ETag") != etag {
		t.Errorf("%s, %d bytes, ETag %s", resp.Status, len(body), resp.Header.Get("ETag"))
	}
	// What upstream's stage0 goes by (build protocol, section 6.5).
	resp, body = f.download("HEAD", "buildlet.linux-riscv64")
	if when, err := http.ParseTime(resp.Header.Get("Last-Modified")); err != nil || !when.Equal(changed) || resp.ContentLength != int64(len(content)) || body != "" {
		t.Errorf("HEAD: %v, length %d, %d bytes", resp.Header, resp.ContentLength, len(body))
	}
	for _, header := range [][]string{
		{"If-None-Match", etag}, {"If-None-Match", `"x", ` + etag}, {"If-Modified-Since", changed.UTC().Format(http.TimeFormat)},
	} {
		if resp, _ := f.download("GET", "buildlet.linux-riscv64", header...); resp.StatusCode != http.StatusNotModified {
			t.Errorf("%v: %s", header, resp.Status)
		}
	}
	resp, body = f.download("GET", "buildlet.linux-riscv64", "Range", "bytes=799990-", "If-Range", etag)
	if resp.StatusCode != http.StatusPartialContent || body != string(content[799990:]) {
		t.Errorf("a part: %s %q", resp.Status, body)
	}
	resp, body = f.download("GET", "buildlet.linux-riscv64", "Range", "bytes=799990-", "If-Range", `"another"`)
	if resp.StatusCode != 200 || len(body) != len(content) {
		t.Errorf("a part of another: %s, %d bytes", resp.Status, len(body))
	}
	if _, body := f.download("GET", "buildlet.linux-riscv64.sha256"); body != "the digest" {
		t.Errorf("the digest: %q", body)
	}

	// A file that is replaced is another one, even of the same length.
	content[0]++
	put("buildlet.linux-riscv64", string(content))
	if resp, body := f.download("GET", "buildlet.linux-riscv64", "If-None-Match", etag); resp.StatusCode != 200 || body != string(content) {
		t.Errorf("a new one: %s", resp.Status)
	}

	for name, hint := range map[string]string{
		"":                              "",
		"secret":                        "buildlet.GOOS-GOARCH",
		"buildlet.linux-riscv64.key":    "buildlet.GOOS-GOARCH",
		"buildlet.linux":                "buildlet.GOOS-GOARCH",
		"..%2fsecret":                   "",
		"buildlet.linux-riscv64%2f..":   "",
		"buildlet.linux-riscv64.sig":    "without it",
		"buildlet.linux-s390x":          "there are buildlets for: linux-riscv64",
		"buildlet.linux-386":            "there are buildlets for: linux-riscv64",
		"buildlet.linux-386.sha256.sig": "",
	} {
		resp, body := f.download("GET", name)
		if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, hint) {
			t.Errorf("%q: %s, %s", name, resp.Status, body)
		}
	}
	if resp, body := f.download("GET", "buildlet.linux-arm64"); resp.StatusCode == 200 || strings.Contains(body, "swordfish") {
		t.Errorf("a link leads outside: %s", resp.Status)
	}
	if resp, _ := f.download("POST", "buildlet.linux-riscv64"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
	if resp, body := newFarm(t, Options{}).download("GET", "buildlet.linux-riscv64"); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "--dl DIR") {
		t.Errorf("without a directory: %s, %s", resp.Status, body)
	}
}
