package stage0

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"gobuild/pkg/diskspace"
	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/plain"
	"gobuild/pkg/release"
)

const (
	// maxRefusal bounds what is shown of an answer that is none, in bytes.
	maxRefusal = 300
	// maxRetryAfter bounds the wait that a server asks for.
	maxRetryAfter = 5 * time.Minute
	// asideWait bounds the fetch of a digest or a signature.
	asideWait = time.Minute
	// maxTries bounds all tries, so that a server which gives a byte each time
	// does not keep us for ever.
	maxTries = 200
	// spareSpace is what is left free on the disk, in bytes.
	spareSpace = 16 << 20
)

// busyError is an answer after which the server wants to be left alone.
type busyError struct {
	error
	wait time.Duration
}

// fetch tries until the program is up to date, or cannot be brought so.
func (j *job) fetch() (updated bool, err error) {
	failures, furthest := 0, int64(0)
	for try := 1; ; try++ {
		var reached int64
		updated, reached, err = j.attempt()
		var lasting *lastingError
		switch {
		case err == nil:
			return updated, nil
		case j.ctx.Err() != nil:
			return false, fmt.Errorf("%w (%w)", err, context.Cause(j.ctx))
		case errors.As(err, &lasting):
			return false, err
		case reached > furthest:
			furthest, failures = reached, 0
		}
		if failures++; failures >= j.f.Attempts || try >= maxTries {
			return false, hint.With(fmt.Errorf("%w; tried %d times", err, try), "%s", hintOr(err, "the network or the server has a problem; what has come is kept and the next start goes on from there"))
		}
		wait := j.pause(failures)
		if busy, ok := errors.AsType[*busyError](err); ok {
			wait = max(wait, min(busy.wait, maxRetryAfter))
		}
		j.f.Log.Warn("download failed; trying again", "url", j.shown(), "err", err, "in", wait.Round(time.Millisecond))
		select {
		case <-j.ctx.Done():
			return false, fmt.Errorf("%w (%w)", err, context.Cause(j.ctx))
		case <-time.After(wait):
		}
	}
}

// pause returns how long to wait after so many failures in a row.
func (j *job) pause(failures int) time.Duration {
	wait := j.f.Pause
	for i := 1; i < failures && wait < j.f.MaxPause; i++ {
		wait *= 2
	}
	return time.Duration(float64(min(wait, j.f.MaxPause)) * (0.8 + 0.4*rand.Float64()))
}

func hintOr(err error, advice string) string {
	if had := hint.Of(err); had != "" {
		return had
	}
	return advice
}

// attempt is one try. It returns up to which byte the program has come.
func (j *job) attempt() (updated bool, reached int64, err error) {
	ctx, cancel := context.WithCancelCause(j.ctx)
	defer cancel(nil)
	req, err := j.request(ctx, j.url)
	if err != nil {
		return false, 0, err
	}
	start := j.conditions(req)
	resp, err := j.do(req)
	if err != nil {
		return false, 0, err
	}
	defer resp.Body.Close()
	next := Program{
		URL: j.shown(), Since: now(),
		ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"),
	}
	switch resp.StatusCode {
	case http.StatusNotModified:
		for _, bad := range j.state.Bad {
			if bad.ETag != "" && bad.ETag == next.ETag && next.ETag != j.state.Current.ETag {
				return false, 0, j.stayAway(bad.Digest)
			}
		}
		if !j.trusted() {
			return false, 0, &lastingError{errors.New("the server says that nothing has changed, but it was not asked that")}
		}
		j.f.Log.Debug("the program is up to date", "digest", j.state.Current.Digest)
		return false, 0, nil
	case http.StatusOK:
		start, next.Size = 0, resp.ContentLength
	case http.StatusPartialContent:
		if next.Size, err = j.checkRange(resp, start); err != nil {
			j.dropPartial()
			return false, 0, err
		}
	case http.StatusRequestedRangeNotSatisfiable:
		j.dropPartial()
		return false, 0, errors.New("what has come before is no part of what is there now")
	default:
		return false, 0, refused(resp)
	}
	if next.Size > j.f.MaxSize {
		return false, 0, &lastingError{hint.With(fmt.Errorf("it has %d bytes, more than the %d that are allowed", next.Size, j.f.MaxSize), "is that the buildlet's URL?")}
	}
	sig, digest, err := j.aside(&next)
	if err != nil {
		return false, 0, err
	}
	switch {
	case digest == "":
	case digest == j.state.Current.Digest && j.intact():
		// The ETag is not taken over: the program may just be changing, with
		// its digest still the old one.
		return false, 0, j.reSigned(sig)
	default:
		if _, bad := j.state.bad(digest); bad {
			return false, 0, j.stayAway(digest)
		}
	}
	if err := j.checkAge(sig, next); err != nil {
		return false, 0, err
	}
	if err := j.checkSpace(next.Size - start); err != nil {
		return false, 0, err
	}
	reached, err = j.receive(ctx, cancel, resp, start, next)
	if err != nil {
		return false, reached, err
	}
	updated, err = j.accept(next, sig, digest, resp.Header)
	return updated, 0, err
}

// request returns a GET for u or for what is beside it.
func (j *job) request(ctx context.Context, u *url.URL) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &lastingError{err}
	}
	// Compressed on the way it would have another length and no ranges.
	req.Header.Set("Accept-Encoding", "identity")
	// Upstream's bucket is behind caches.
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("User-Agent", "gobuild-stage0")
	return req, nil
}

// conditions asks for the program only if it is another one than those that
// are known, and only for what has not come yet: from start on.
func (j *job) conditions(req *http.Request) (start int64) {
	var tags []string
	current := j.state.Current
	if j.trusted() && current.URL == j.shown() {
		if current.ETag != "" {
			tags = append(tags, current.ETag)
		} else if current.LastModified != "" {
			req.Header.Set("If-Modified-Since", current.LastModified)
		}
	}
	if j.intact() {
		for _, bad := range j.state.Bad {
			if bad.URL == j.shown() && bad.ETag != "" {
				tags = append(tags, bad.ETag)
			}
		}
	}
	if len(tags) > 0 {
		req.Header.Set("If-None-Match", strings.Join(tags, ", "))
	}
	part := j.state.Partial
	info, err := os.Stat(j.name(".part"))
	if err != nil {
		return 0
	}
	if part == nil || part.URL != j.shown() || part.validator() == "" || info.Size() == 0 || part.Size >= 0 && info.Size() >= part.Size {
		j.dropPartial()
		return 0
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", info.Size()))
	req.Header.Set("If-Range", part.validator())
	return info.Size()
}

// validator returns what proves that a program is still the same one.
func (p *Program) validator() string {
	if p.ETag != "" && !strings.HasPrefix(p.ETag, "W/") {
		return p.ETag
	}
	return p.LastModified
}

// checkRange checks that a part which was asked for is the one that came, and
// returns the size of the whole.
func (j *job) checkRange(resp *http.Response, start int64) (size int64, err error) {
	field := resp.Header.Get("Content-Range")
	var first, last int64
	if n, _ := fmt.Sscanf(field, "bytes %d-%d/%d", &first, &last, &size); n != 3 || first != start || last != size-1 || start == 0 {
		return 0, fmt.Errorf("asked for the bytes from %d on, the server sent %q", start, field)
	}
	part := j.state.Partial
	if size != part.Size && part.Size >= 0 || part.ETag != resp.Header.Get("ETag") {
		return 0, errors.New("the program has changed on the server since its first part came")
	}
	return size, nil
}

// do makes a request and explains a failure.
func (j *job) do(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := j.http.Do(req)
	if err == nil {
		return resp, nil
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if lasting, ok := errors.AsType[*lastingError](err); ok {
		return nil, lasting
	}
	addr := req.URL.Host
	if req.URL.Port() == "" {
		addr = net.JoinHostPort(req.URL.Hostname(), map[string]string{"http": "80", "https": "443"}[req.URL.Scheme])
	}
	explained := netdial.Explain(err, addr, time.Since(began))
	if _, dns := errors.AsType[*net.DNSError](err); netdial.Lasting(err) && !dns {
		return nil, &lastingError{explained}
	}
	return nil, explained
}

// refused explains an answer that brings no program.
func refused(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	err := fmt.Errorf("the server answered %s: %s", resp.Status, plain.Line(string(text), 0))
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return &busyError{err, retryAfter(resp)}
	case code == http.StatusNotFound:
		return &lastingError{hint.With(err, "is the URL right, and has the farm's maintainer published a buildlet for this port? gobuild release publish does that")}
	}
	return &lastingError{err}
}

// retryAfter returns how long the server asks to wait.
func retryAfter(resp *http.Response) time.Duration {
	field := resp.Header.Get("Retry-After")
	if sec, err := strconv.Atoi(field); err == nil && sec >= 0 && sec < 1<<20 {
		return time.Duration(sec) * time.Second
	}
	if when, err := http.ParseTime(field); err == nil {
		return time.Until(when)
	}
	return 0
}

// aside fetches the signature and the digest, as far as they are needed or
// there, and checks what can be checked without the program.
func (j *job) aside(next *Program) (sig *release.Signature, digest string, err error) {
	if len(j.f.Keys) > 0 {
		text, err := j.small(".sig", release.MaxSignature)
		if err != nil {
			return nil, "", err
		}
		if text == nil {
			return nil, "", &lastingError{hint.With(errors.New("there is no signature: .sig is missing beside it"), "gobuild release publish makes one; without it nothing is taken where a release key is given")}
		}
		if sig, err = release.Open(text, j.f.Keys); err != nil {
			return nil, "", &lastingError{err}
		}
		name := path.Base(j.url.Path)
		if sig.File != name && sig.File != "buildlet."+j.port.String() {
			return nil, "", &lastingError{hint.With(fmt.Errorf("the signature is that of another file, %.100q", sig.File), "the wrong .sig lies beside it, or somebody passes one program off as another")}
		}
		next.Version, next.Signed, next.Key = sig.Version, sig.Signed, sig.Key().String()
	}
	text, err := j.small(".sha256", release.MaxDigestFile)
	switch {
	case err != nil:
		return nil, "", err
	case text != nil:
		if digest, err = release.ParseDigest(string(text), path.Base(j.url.Path)); err != nil {
			return nil, "", &lastingError{fmt.Errorf(".sha256 beside it: %w", err)}
		}
	case sig == nil:
		j.f.Log.Warn("nobody has signed the program, nor is there a digest; only its length and port are checked", "url", j.shown())
		return nil, "", nil
	}
	if sig == nil {
		j.f.Log.Warn("nobody has signed the program; its digest is checked", "url", j.shown())
	}
	return sig, digest, nil
}

// small fetches a file beside the program, or nil if it is not there.
func (j *job) small(suffix string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(j.ctx, asideWait)
	defer cancel()
	at := *j.url
	at.Path, at.RawPath = at.Path+suffix, ""
	req, err := j.request(ctx, &at)
	if err != nil {
		return nil, err
	}
	resp, err := j.do(req)
	if err != nil {
		return nil, fmt.Errorf("%s beside it: %w", suffix, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusForbidden, http.StatusGone: // a bucket that lists nothing says Forbidden
		return nil, nil
	default:
		return nil, fmt.Errorf("%s beside it: %w", suffix, refused(resp))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s beside it: %w", suffix, err)
	}
	if int64(len(text)) > limit {
		return nil, &lastingError{fmt.Errorf("%s beside it has more than %d bytes", suffix, limit)}
	}
	return text, nil
}

// checkAge refuses a release that is older than the present one.
func (j *job) checkAge(sig *release.Signature, next Program) error {
	current := j.state.Current
	if !j.intact() || j.f.AllowDowngrade {
		return nil
	}
	var offered, have time.Time
	if sig != nil {
		offered, have = sig.Signed, current.Signed
		if semver.IsValid(vee(sig.Version)) && semver.Compare(vee(sig.Version), vee(current.Version)) < 0 && !offered.Before(have) {
			j.f.Log.Warn("the farm goes back to an earlier version", "from", current.Version, "to", sig.Version)
		}
	} else if current.Signed.IsZero() && current.URL == next.URL {
		offered, _ = http.ParseTime(next.LastModified)
		have, _ = http.ParseTime(current.LastModified)
		if offered.IsZero() {
			return nil
		}
	}
	if !offered.Before(have) {
		return nil
	}
	return &lastingError{hint.With(fmt.Errorf("%w: of %s (%s), and here is that of %s (%s)", ErrOlder,
		offered.Format(time.RFC3339), orUnknown(next.Version), have.Format(time.RFC3339), orUnknown(current.Version)),
		"somebody may be playing an old release back; if the farm's maintainer means it, sign it again or allow a downgrade")}
}

func orUnknown(version string) string {
	if version == "" {
		return "version unknown"
	}
	return version
}

// vee returns a version as package semver wants it.
func vee(version string) string { return "v" + strings.TrimPrefix(version, "v") }

// reSigned takes over what a new signature says of the program that is here.
func (j *job) reSigned(sig *release.Signature) error {
	known := j.trusted()
	if sig == nil || known && sig.Signed.Equal(j.state.Current.Signed) && sig.Version == j.state.Current.Version {
		return nil
	}
	f, err := os.Open(j.file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := sig.Verify(f); err != nil {
		return err // of the next release, which is just being published
	}
	if known && sig.Signed.Before(j.state.Current.Signed) && !j.f.AllowDowngrade {
		return nil
	}
	j.state.Current.Signed, j.state.Current.Version, j.state.Current.Key = sig.Signed, sig.Version, sig.Key().String()
	return j.save()
}

// stayAway says that a program is not taken because it is known to be bad.
func (j *job) stayAway(digest string) error {
	why, _ := j.state.bad(digest)
	if j.trusted() {
		j.f.Log.Warn("the program that the farm offers is known to be bad here; the one that is here stays", "digest", digest, "why", why)
		return nil
	}
	return &lastingError{hint.With(fmt.Errorf("%w (%s): %s", ErrBad, digest, why), "the farm's maintainer has to publish another one")}
}

// checkSpace refuses what the disk has no room for.
func (j *job) checkSpace(size int64) error {
	space, ok := diskspace.Of(dirOf(j.file))
	if !ok || size < 0 || space.Free >= size+min(spareSpace, space.Total/16) {
		return nil
	}
	return &lastingError{fullDisk(fmt.Errorf("%d bytes are to come, and the disk has %d left", size, space.Free), j.file)}
}
