package buildlet

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

// serveLs lists a directory (section 3.6).
func (s *Server) serveLs(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		http.Error(w, "requires GET method", http.StatusBadRequest)
		return
	}
	dir, err := cleanDir(r.FormValue("dir"))
	if err != nil {
		http.Error(w, fmt.Sprintf("invalid 'dir' parameter: %v", err), http.StatusBadRequest)
		return
	}
	recursive, _ := strconv.ParseBool(r.FormValue("recursive"))
	digest, _ := strconv.ParseBool(r.FormValue("digest"))
	skip := r.Form["skip"]

	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	sent := &countWriter{w: w}
	out := bufio.NewWriterSize(sent, 32<<10)
	err = s.walk(dir, func(parent *os.Root, base, rel string, info fs.FileInfo) error {
		if info.IsDir() && slices.Contains(skip, rel) {
			return fs.SkipDir
		}
		if err := lsLine(out, parent, base, rel, info, digest); err != nil {
			return err
		}
		if info.IsDir() && !recursive {
			return fs.SkipDir
		}
		return nil
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		return
	}
	s.log.Warn("not listed", "dir", dir, "err", err)
	if sent.n == 0 {
		http.Error(w, fmt.Sprintf("Walk error: %v", err), http.StatusInternalServerError)
		return
	}
	panic(http.ErrAbortHandler) // so that the receiver sees the break
}

// lsLine writes the line of one entry.
func lsLine(out *bufio.Writer, parent *os.Root, base, rel string, info fs.FileInfo, digest bool) error {
	sum := ""
	if digest && info.Mode().IsRegular() {
		var err error
		if sum, err = sha1Of(parent, base); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%s\t%s", info.Mode(), rel)
	switch {
	case info.IsDir():
		out.WriteByte('/')
	case info.Mode().IsRegular():
		fmt.Fprintf(out, "\t%d\t%s", info.Size(), info.ModTime().UTC().Truncate(time.Second).Format(time.RFC3339))
		if sum != "" {
			out.WriteByte('\t')
			out.WriteString(sum)
		}
	}
	return out.WriteByte('\n')
}

// sha1Of returns the hex SHA-1 of a file's content.
func sha1Of(parent *os.Root, base string) (string, error) {
	f, _, err := openRegular(parent, base)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha1.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// countWriter counts what passes through it.
type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
