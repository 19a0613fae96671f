package buildlet

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
)

// AdditionRead is the addition that sends one file: GET /read?path=P answers
// with its content and its permission bits, in octal, in modeHeader.
const AdditionRead = "read"

const modeHeader = "X-Gobuild-Mode"

// ErrNoAddition is in the errors of calls that the buildlet does not know.
var ErrNoAddition = errors.New("the buildlet does not have this addition to the protocol")

// File is the content of a remote file.
type File struct {
	io.ReadCloser
	Size int64       // bytes; reading ends with an error if fewer come
	Mode fs.FileMode // permission bits
}

// Read opens the file name. The error has ErrNoAddition if the buildlet
// cannot send a single file.
func (c *Client) Read(ctx context.Context, name string) (*File, error) {
	resp, err := c.do(ctx, "GET", "/read?"+url.Values{"path": {name}}.Encode(), "", nil, headerWait)
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusNotFound && !status.read {
		return nil, fmt.Errorf("GET /read: %w", ErrNoAddition)
	}
	if err != nil {
		return nil, err
	}
	mode, err := strconv.ParseUint(resp.Header.Get(modeHeader), 8, 32)
	if err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("GET /read: bad %s header: %w", modeHeader, err)
	}
	return &File{newStallBody(resp.Body), resp.ContentLength, fs.FileMode(mode).Perm()}, nil
}

// ReadFromTar opens the file name by way of an archive of its directory, which
// every buildlet can send. It reads the archive up to the file.
func (c *Client) ReadFromTar(ctx context.Context, name string) (*File, error) {
	dir, base := path.Split(path.Clean(name))
	if dir == "" {
		dir = "."
	}
	body, err := c.GetTar(ctx, path.Clean(dir))
	if err != nil {
		return nil, err
	}
	f, err := findInTar(body, base)
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func findInTar(body io.ReadCloser, base string) (*File, error) {
	zr, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil, fs.ErrNotExist
		}
		if err != nil {
			return nil, err
		}
		if path.Clean(h.Name) != base {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return nil, errors.New("not a regular file")
		}
		return &File{struct {
			io.Reader
			io.Closer
		}{tr, body}, h.Size, fs.FileMode(h.Mode).Perm()}, nil
	}
}

// serveRead sends one file of the work directory.
func (s *Server) serveRead(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(modeHeader, "0") // marks a buildlet that has the addition
	if r.Method != http.MethodGet {
		http.Error(w, "requires GET method", http.StatusBadRequest)
		return
	}
	name, err := cleanPath(r.FormValue("path"))
	if err != nil {
		http.Error(w, fmt.Sprintf("invalid 'path' parameter: %v", err), http.StatusBadRequest)
		return
	}
	f, info, err := openRegular(s.root(), name)
	var other *notRegularError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, fmt.Sprintf("no file %q in the work directory", name), http.StatusNotFound)
		return
	case errors.As(err, &other):
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set(modeHeader, strconv.FormatUint(uint64(info.Mode().Perm()), 8))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if n, err := io.CopyN(w, f, info.Size()); err != nil {
		s.log.Warn("file not sent whole", "path", name, "bytes", n, "err", err)
		panic(http.ErrAbortHandler)
	}
}

// notRegularError is the attempt to read what is not a regular file.
type notRegularError struct {
	name string
	mode fs.FileMode
}

func (e *notRegularError) Error() string {
	return fmt.Sprintf("%q is not a regular file but %s", e.name, e.mode)
}

// openRegular opens a regular file to be read. It does not wait for the other
// end of a fifo, even if that has taken the file's place a moment ago.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &notRegularError{name, info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
