package machinetoken

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"gobuild/pkg/netdial"
	"gobuild/pkg/plain"
	"gobuild/pkg/version"
)

// The call (LUCI protocol, section 2).
const (
	mintPath   = "/prpc/tokenserver.minter.TokenMinter/MintMachineToken"
	binaryType = "application/prpc; encoding=binary"
	// announcedMax is what luci_machine_tokend announces that it would read,
	// in bytes.
	announcedMax = 32<<20 - 32<<10
	// maxAnswer is what is read of an answer, in bytes. A real one has one
	// thousand; builders may have little memory.
	maxAnswer = 1 << 20
	// maxErrorText bounds the text of an error, in bytes.
	maxErrorText = 4096
)

// client calls one token server. It is used for one run.
type client struct {
	url       string
	host      string // as in the URL
	transport *http.Transport
	http      *http.Client
	skew      skew
}

// newClient returns a client for backend, HOST or HOST:PORT. It speaks plain
// HTTP to exactly the backends that luci_machine_tokend does so with (LUCI
// protocol, section 7.2), TLS with everything else.
func newClient(backend string, roots *x509.CertPool) *client {
	// Not HTTP/2: for one small call it would gain nothing. Netdial knows the
	// proxies of the environment and says why a connection failed.
	dialer := &netdial.Dialer{Roots: roots}
	c := &client{host: backend, transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext,
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return connection(dialer.DialTLS(ctx, addr))
		},
		MaxResponseHeaderBytes: 64 << 10,
	}}
	scheme := "https"
	if plainHTTP(backend) {
		scheme = "http"
	}
	c.url = scheme + "://" + backend + mintPath
	c.http = &http.Client{Transport: c.transport, CheckRedirect: checkRedirect}
	return c
}

// connectTimeout bounds the time to a connection without TLS.
const connectTimeout = 10 * time.Second

// connection keeps a nil *tls.Conn from becoming a net.Conn that is not nil.
func connection(conn *tls.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func plainHTTP(backend string) bool {
	return strings.HasPrefix(backend, "localhost:") || strings.HasPrefix(backend, "127.0.0.1:")
}

// redirectError is a redirection that is not followed.
type redirectError struct{ text string }

func (e *redirectError) Error() string { return e.text }

// checkRedirect does not let a request leave TLS: for ten minutes, whoever has
// read it can get a token of this machine with it.
func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
		return &redirectError{fmt.Sprintf("it redirects to %s, which is not TLS", r.URL.Redacted())}
	case len(via) >= 10:
		return &redirectError{"it redirects more than 10 times"}
	}
	return nil
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// attempt sends request once and returns the body of the answer, or a
// *CallError.
func (c *client) attempt(ctx context.Context, request []byte) ([]byte, *CallError) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(request))
	if err != nil {
		return nil, &CallError{URL: c.url, Code: codeInvalidArgument, err: err, final: true}
	}
	req.Header.Set("Content-Type", binaryType)
	req.Header.Set("Accept", binaryType)
	req.Header.Set("User-Agent", "gobuild/"+version.String()+" tokend")
	req.Header.Set("X-Prpc-Max-Response-Size", strconv.Itoa(announcedMax))
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set("X-Prpc-Grpc-Timeout", encodeTimeout(time.Until(deadline)))
	}
	sent := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.networkError(err)
	}
	defer resp.Body.Close()
	c.skew.measure(resp.Header.Get("Date"), sent, time.Now())
	return c.read(resp)
}

// read returns the body of an answer that is a success.
func (c *client) read(resp *http.Response) ([]byte, *CallError) {
	failed := &CallError{URL: c.url, HTTPStatus: resp.StatusCode}
	code, ok := grpcCode(resp)
	failed.Code, failed.NoCode = code, !ok
	if !ok || code != codeOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
		failed.Text = oneLine(string(text))
		failed.final = code == codeUnavailable && tooBig(resp.Header)
		return nil, failed
	}
	if got := resp.Header.Get("Content-Type"); got != binaryType {
		failed.Code, failed.Text = codeInternal, fmt.Sprintf("its content type is %.80q, not %q", got, binaryType)
		return nil, failed
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		failed = c.networkError(fmt.Errorf("read the answer, of which %d bytes came: %w", len(body), err))
		failed.HTTPStatus = resp.StatusCode
		return nil, failed
	case len(body) > maxAnswer:
		failed.Code, failed.final = codeUnavailable, true
		failed.Text = fmt.Sprintf("its answer is longer than %d bytes, and a token has one thousand", maxAnswer)
		return nil, failed
	}
	return body, nil
}

// networkError is the error of an attempt to which no whole answer came.
func (c *client) networkError(err error) *CallError {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the *CallError names the URL
	}
	failed := &CallError{URL: c.url, Code: codeInternal, err: err}
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		failed.Code = codeDeadlineExceeded
	}
	// A certificate that is not trusted is not trusted a second later, and to
	// ask a proxy again and again that says no may lock an account. A name
	// that there is not may be a resolver that is about to start.
	_, dns := errors.AsType[*net.DNSError](err)
	_, redirected := errors.AsType[*redirectError](err)
	failed.final = netdial.Lasting(err) && !dns || redirected
	return failed
}

// grpcCode returns the code of an answer, and whether a pRPC server gave it;
// otherwise it is the code that the HTTP status stands for.
func grpcCode(resp *http.Response) (code int, ok bool) {
	header := resp.Header.Get("X-Prpc-Grpc-Code")
	if header != "" {
		code, err := strconv.Atoi(header)
		if err != nil || code < 0 {
			return codeInternal, false
		}
		return code, true
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return codeUnauthenticated, false
	case http.StatusForbidden:
		return codePermissionDenied, false
	case http.StatusServiceUnavailable:
		return codeUnavailable, false
	}
	return codeInternal, false
}

// tooBig reports whether an error's details say that the answer did not fit
// into what the request allowed, which no attempt would change.
func tooBig(header http.Header) bool {
	for _, value := range header.Values("X-Prpc-Status-Details-Bin") {
		for detail := range strings.SplitSeq(value, ",") {
			wire, err := base64.StdEncoding.DecodeString(strings.TrimSpace(detail))
			var message anypb.Any
			if err == nil && proto.Unmarshal(wire, &message) == nil && strings.HasSuffix(message.GetTypeUrl(), "/luci.prpc.ErrorDetails") {
				return true
			}
		}
	}
	return false
}

// encodeTimeout writes d as pRPC does: in the finest unit in which the count,
// rounded up, has no more than eight digits (LUCI protocol, section 2).
func encodeTimeout(d time.Duration) string {
	for _, unit := range []struct {
		size   time.Duration
		letter string
	}{{time.Nanosecond, "n"}, {time.Microsecond, "u"}, {time.Millisecond, "m"}, {time.Second, "S"}, {time.Minute, "M"}} {
		if count := max(0, (d+unit.size-1)/unit.size); count <= 99_999_999 {
			return strconv.FormatInt(int64(count), 10) + unit.letter
		}
	}
	return strconv.FormatInt(int64(d/time.Hour)+1, 10) + "H"
}

// oneLine returns what a stranger sent in a form that a log line can hold.
func oneLine(s string) string {
	if low := strings.ToLower(strings.TrimSpace(s)); strings.HasPrefix(low, "<!doctype") || strings.HasPrefix(low, "<html") {
		if _, title, ok := strings.Cut(s, "<title>"); ok {
			title, _, _ = strings.Cut(title, "<")
			return fmt.Sprintf("a web page titled %.80q", strings.TrimSpace(title))
		}
		return "a web page"
	}
	return plain.Line(s, 300)
}
