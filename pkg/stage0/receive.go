package stage0

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/release"
)

// progressEvery is the pause between two calls of Progress.
const progressEvery = 100 * time.Millisecond

func dirOf(file string) string { return filepath.Dir(file) }

func fullDisk(err error, file string) error {
	return hint.With(err, "the disk (or your quota) that holds %s is full; nothing was changed: make room and try again", dirOf(file))
}

// dropPartial forgets what has come of a program.
func (j *job) dropPartial() {
	os.Remove(j.name(".part"))
	j.state.Partial = nil
}

// receive writes the body of resp into File.part, from start on. It returns up
// to which byte the program is there.
func (j *job) receive(ctx context.Context, cancel context.CancelCauseFunc, resp *http.Response, start int64, next Program) (reached int64, err error) {
	var got int64
	if start == 0 {
		j.dropPartial()
	}
	j.state.Partial = &next
	if err := j.save(); err != nil {
		return 0, &lastingError{err}
	}
	flags := os.O_WRONLY | os.O_CREATE
	if start == 0 {
		flags |= os.O_TRUNC
	}
	part, err := os.OpenFile(j.name(".part"), flags, 0o600)
	if err != nil {
		return 0, &lastingError{err}
	}
	_, err = part.Seek(start, io.SeekStart)
	began := time.Now()
	rate := func() float64 { return float64(got) / max(time.Since(began).Seconds(), 1e-3) }
	stalled := fmt.Errorf("no byte has come for %s", j.f.StallWait)
	stall := time.AfterFunc(j.f.StallWait, func() { cancel(stalled) })
	defer stall.Stop()

	var writeErr error
	var told time.Time
	buf := make([]byte, 64<<10)
	for err == nil {
		var n int
		n, err = resp.Body.Read(buf)
		if n > 0 {
			stall.Reset(j.f.StallWait)
			if _, writeErr = part.Write(buf[:n]); writeErr != nil {
				break
			}
			got += int64(n)
		}
		if start+got > j.f.MaxSize {
			part.Close()
			j.dropPartial()
			return start + got, &lastingError{hint.With(fmt.Errorf("more than the %d bytes that are allowed have come", j.f.MaxSize), "is that the buildlet's URL?")}
		}
		if j.f.Progress != nil && time.Since(told) >= progressEvery {
			told = time.Now()
			j.f.Progress(start+got, next.Size, rate())
		}
	}
	if j.f.Progress != nil {
		j.f.Progress(start+got, next.Size, rate())
	}
	if writeErr == nil {
		writeErr = part.Sync()
	}
	if closeErr := part.Close(); writeErr == nil {
		writeErr = closeErr
	}
	if writeErr != nil {
		j.dropPartial() // to give the room back
		return start + got, &lastingError{fullDisk(fmt.Errorf("write %s: %w, after %d bytes", j.name(".part"), cause(writeErr), start+got), j.file)}
	}
	if errors.Is(err, io.EOF) && (next.Size < 0 || start+got == next.Size) {
		return start + got, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	if next.validator() == "" {
		j.dropPartial() // no telling whether the rest will fit
	}
	return start + got, fmt.Errorf("%w, after %d of %s (%s/s)", err, start+got, sizeText(next.Size), bytesText(rate()))
}

// cause returns what is wrong with a file, without its name.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

func sizeText(size int64) string {
	if size < 0 {
		return "an unknown number of bytes"
	}
	return fmt.Sprintf("%d bytes", size)
}

// bytesText writes a number of bytes as people read it.
func bytesText(n float64) string {
	for _, unit := range []string{"B", "kB", "MB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g GB", n)
}

// errMixed is for contents that do not fit to what stands beside them: they
// may have changed in between, and be good the next time.
var errMixed = errors.New("what has come is not what was published")

// accept checks File.part and puts it in place.
func (j *job) accept(next Program, sig *release.Signature, digest string, header http.Header) (updated bool, err error) {
	part := j.name(".part")
	f, err := os.Open(part)
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum, sum5 := sha256.New(), md5.New()
	read := io.TeeReader(f, io.MultiWriter(sum, sum5))
	var sigErr error
	if sig != nil {
		sigErr = sig.Verify(read)
	}
	if next.Size, err = io.Copy(io.Discard, read); err == nil { // what the signature's check has left
		next.Size, err = f.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		return false, err
	}
	f.Close()
	next.Digest = hex.EncodeToString(sum.Sum(nil))
	if digest != "" && digest != next.Digest {
		j.dropPartial()
		return false, mixed(fmt.Errorf("its SHA-256 digest is %s, and %s was announced", next.Digest, digest), next)
	}
	if sigErr != nil {
		j.dropPartial()
		return false, hint.With(mixed(sigErr, next), "%s", hint.Of(sigErr))
	}
	if want := googMD5(header); sig == nil && digest == "" && want != "" && want != base64.StdEncoding.EncodeToString(sum5.Sum(nil)) {
		j.dropPartial()
		return false, mixed(errors.New("its MD5 digest is not the one that the server told"), next)
	}
	if next.Digest == j.state.Current.Digest && j.intact() {
		j.dropPartial()
		current := &j.state.Current
		current.URL, current.ETag, current.LastModified = next.URL, next.ETag, next.LastModified
		if sig != nil {
			current.Signed, current.Version, current.Key = next.Signed, next.Version, next.Key
		}
		return false, j.save()
	}
	if _, bad := j.state.bad(next.Digest); bad {
		j.dropPartial()
		for i := range j.state.Bad {
			if b := &j.state.Bad[i]; b.Digest == next.Digest && next.ETag != "" {
				b.URL, b.ETag, b.LastModified = next.URL, next.ETag, next.LastModified
			}
		}
		if err := j.save(); err != nil {
			return false, err
		}
		return false, j.stayAway(next.Digest)
	}
	if err := j.checkAge(sig, next); err != nil {
		j.dropPartial()
		return false, err
	}
	if err := j.checkPort(part, next); err != nil {
		return false, err
	}
	if err := finish(part, next); err != nil {
		return false, &lastingError{err}
	}
	if err := j.install(next); err != nil {
		return false, &lastingError{err}
	}
	j.f.Log.Info("a new program is in place", "file", j.file, "version", next.Version, "digest", next.Digest, "bytes", next.Size)
	return true, nil
}

func mixed(err error, p Program) error {
	return fmt.Errorf("%w: %w (%d bytes)", errMixed, err, p.Size)
}

// checkPort refuses a program for other machines, once and for all.
func (j *job) checkPort(part string, next Program) error {
	program, err := release.ReadProgram(part)
	if err == nil {
		err = program.RunsOn(j.port)
	}
	if err == nil {
		return nil
	}
	j.dropPartial()
	text := strings.TrimPrefix(err.Error(), part+": ")
	j.state.addBad(next, text)
	if saveErr := j.save(); saveErr != nil {
		return &lastingError{saveErr}
	}
	return &lastingError{hint.With(errors.New(text), "%s", hintOr(err, "is that the buildlet's URL? Something between, such as a proxy that wants a sign-in, may have answered in the server's place"))}
}

// finish makes a checked file a program on the disk. Its time is the server's,
// by which upstream's stage0 knows it again.
func finish(part string, next Program) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" {
		err = f.Chmod(0o755)
	}
	if when, parseErr := http.ParseTime(next.LastModified); parseErr == nil && err == nil {
		err = os.Chtimes(part, when, when)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// googMD5 returns the MD5 digest, in base64, that Google's buckets tell.
func googMD5(header http.Header) string {
	for _, field := range header.Values("X-Goog-Hash") {
		for hash := range strings.SplitSeq(field, ",") {
			if digest, ok := strings.CutPrefix(strings.TrimSpace(hash), "md5="); ok {
				return digest
			}
		}
	}
	return ""
}
