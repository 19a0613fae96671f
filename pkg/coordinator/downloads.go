package coordinator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/ports"
)

// downloadWait is how long a download may take.
const downloadWait = 2 * time.Hour

// downloads serves what "gobuild release publish" has put into a directory:
// the buildlet of each port, its digest and its signature.
type downloads struct {
	dir string // "" for none

	mu      sync.Mutex
	digests map[string]knownDigest // by file name
}

// knownDigest is the digest of a file of a size and time.
type knownDigest struct {
	size    int64
	changed time.Time
	digest  string
}

// serve answers GET and HEAD /dl/{name}. Upstream's stage0 needs HEAD with
// Content-Length and Last-Modified (build protocol, section 6.5).
func (d *downloads) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if d.dir == "" {
		writeError(w, api.Errorf(api.CodeNotFound, "this coordinator serves no buildlets").
			WithHint("its maintainer starts it with --dl DIR and fills DIR with gobuild release publish"))
		return
	}
	port, suffix, ok := downloadName(name)
	if !ok {
		writeError(w, api.Errorf(api.CodeNotFound, "there is no download %.100q", name).
			WithHint("there are buildlet.GOOS-GOARCH, and the same with .sha256 and .sig"))
		return
	}
	f, info, err := d.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		writeError(w, api.Errorf(api.CodeNotFound, "there is no %s here", name).WithHint("%s", d.there(port, suffix)))
		return
	case err != nil:
		writeError(w, err)
		return
	}
	defer f.Close()
	digest, err := d.digest(name, f, info)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("ETag", `"`+digest+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	if suffix != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.Header().Set("Cache-Control", "no-cache")
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Now().Add(downloadWait))
	defer rc.SetWriteDeadline(time.Time{}) // the connection may be used again
	http.ServeContent(w, r, name, info.ModTime(), f)
}

// downloadName takes the name of a download apart.
func downloadName(name string) (port ports.Port, suffix string, ok bool) {
	rest, ok := strings.CutPrefix(name, "buildlet.")
	if !ok {
		return port, "", false
	}
	for _, s := range []string{".sha256", ".sig"} {
		if cut, found := strings.CutSuffix(rest, s); found {
			rest, suffix = cut, s
		}
	}
	goos, goarch, _ := strings.Cut(rest, "-")
	port = ports.Port{GOOS: goos, GOARCH: goarch}
	return port, suffix, port.Known()
}

// open opens a regular file of the directory; a link may not lead out of it.
func (d *downloads) open(name string) (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	// Before it is opened, which a pipe would let wait for ever.
	if info, err := root.Stat(name); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// digest returns the SHA-256 digest of an open file, which it remembers.
func (d *downloads) digest(name string, f *os.File, info fs.FileInfo) (string, error) {
	d.mu.Lock()
	known := d.digests[name]
	d.mu.Unlock()
	if known.digest != "" && known.size == info.Size() && known.changed.Equal(info.ModTime()) {
		return known.digest, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	known = knownDigest{info.Size(), info.ModTime(), hex.EncodeToString(sum.Sum(nil))}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.digests == nil {
		d.digests = map[string]knownDigest{}
	}
	d.digests[name] = known // of known ports only, so there are not many
	return known.digest, nil
}

// there says which ports there is something for.
func (d *downloads) there(port ports.Port, suffix string) string {
	var have []string
	if root, err := os.OpenRoot(d.dir); err == nil {
		defer root.Close()
		for _, p := range ports.All() {
			if info, err := root.Stat("buildlet." + p.String()); err == nil && info.Mode().IsRegular() {
				have = append(have, p.String())
			}
		}
	}
	switch {
	case len(have) == 0:
		return "nothing has been published yet: gobuild release publish does that"
	case suffix != "" && slices.Contains(have, port.String()):
		return "the buildlet is there without it: gobuild release publish makes all three files"
	}
	return "there are buildlets for: " + strings.Join(have, ", ")
}
