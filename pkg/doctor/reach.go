package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial"
	"gobuild/pkg/version"
)

// Limits of the call of a host.
const (
	hostWait     = 15 * time.Second
	slowAnswer   = 5 * time.Second
	slowRate     = 100e3       // bytes a second: a toolchain takes a quarter of an hour
	measurable   = 32 << 10    // bytes from which on a rate means something
	judgeable    = time.Second // from which on it is the line's, not that of the first round trips
	downloadWait = 5 * time.Second
)

// answer is what came of calling a host.
type answer struct {
	host                  Host
	addr, proxy           string
	err                   error
	status                int
	dns, tcp, secure, all time.Duration // all: until the head of the answer
	bytes                 int64
	took                  time.Duration // for the bytes
	date                  time.Time     // the Date header, zero without one
	asked, answered       time.Time     // around the answer's head
}

// callHosts calls each host that matters, all at the same time.
func (e *exam) callHosts(ctx context.Context) []answer {
	hosts := e.Hosts
	if hosts == nil {
		hosts = DefaultHosts(e.Options)
	}
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h Host) bool { return e.need(h.Target) == no })
	answers := make([]answer, len(hosts))
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() { answers[i] = e.answer(ctx, h) })
	}
	wg.Wait()
	return answers
}

// answer calls a host.
func (e *exam) answer(ctx context.Context, h Host) answer {
	a := answer{host: h}
	ctx, cancel := context.WithTimeoutCause(ctx, hostWait, fmt.Errorf("no answer within %s", hostWait))
	defer cancel()
	u, err := url.Parse(a.host.URL)
	if err != nil || u.Host == "" || u.User != nil {
		a.err = hint.With(errors.New("its address is no URL or HOST:PORT"), "mend it in the configuration")
		return a
	}
	a.addr = u.Host
	if u.Port() == "" {
		a.addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if proxy, err := e.Dialer.Proxy(&http.Request{URL: u}); err == nil && proxy != nil {
		a.proxy = proxy.Host
	}
	start := time.Now()
	conn, err := e.connect(ctx, &a, u.Scheme == "https")
	if err != nil {
		a.err = e.explain(&a, err, time.Since(start))
		return a
	}
	once := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	tr := &http.Transport{DialContext: once, DialTLSContext: once, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, "GET", a.host.URL, nil)
	if err != nil {
		conn.Close()
		a.err = err
		return a
	}
	req.Header.Set("User-Agent", "gobuild/"+version.String())
	a.asked = e.Now()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		a.err = hint.With(fmt.Errorf("connected, but then: %w (after %s)", err, milli(time.Since(start))),
			"something on the way, or the server itself, takes connections and does not answer on them: look at firewalls and proxies, or try later")
		return a
	}
	defer resp.Body.Close()
	a.answered, a.all, a.status = e.Now(), time.Since(start), resp.StatusCode
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.date = date
	}
	stop := time.AfterFunc(downloadWait, cancel)
	defer stop.Stop()
	start = time.Now()
	a.bytes, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, max(a.host.Download, 4<<10)))
	a.took = time.Since(start)
	return a
}

// connect opens a connection as the worker does, and notes how long its parts
// took. What comes after TCP is the proxy's tunnel, if there is one, and TLS.
func (e *exam) connect(ctx context.Context, a *answer, secure bool) (net.Conn, error) {
	var (
		mu  sync.Mutex // addresses are tried at the same time, and losers end late
		dns time.Time
		tcp = map[string]time.Time{}
	)
	var dnsTook, tcpTook time.Duration
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) {
			mu.Lock()
			defer mu.Unlock()
			dns = time.Now()
		},
		DNSDone: func(httptrace.DNSDoneInfo) {
			mu.Lock()
			defer mu.Unlock()
			dnsTook = time.Since(dns)
		},
		ConnectStart: func(_, addr string) {
			mu.Lock()
			defer mu.Unlock()
			tcp[addr] = time.Now()
		},
		ConnectDone: func(_, addr string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err == nil && tcpTook == 0 {
				tcpTook = time.Since(tcp[addr])
			}
		},
	})
	start := time.Now()
	var conn net.Conn
	var err error
	if secure {
		conn, err = e.Dialer.DialTLS(traced, a.addr)
	} else if conn, err = new(net.Dialer).DialContext(traced, "tcp", a.addr); err != nil {
		err = netdial.Explain(err, a.addr, time.Since(start))
	}
	mu.Lock()
	defer mu.Unlock()
	a.dns, a.tcp = dnsTook, tcpTook
	if secure {
		a.secure = max(0, time.Since(start)-a.dns-a.tcp)
	}
	return conn, err
}

// explain says why a host could not be connected to, with the remedy for a
// machine.
func (e *exam) explain(a *answer, err error, took time.Duration) error {
	advice := cmp.Or(e.advice(a, err), hint.Of(err))
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		why := dns.Err
		if dns.IsTimeout {
			why = "the name server does not answer"
		}
		// Which name server this machine asks is nothing for a public report.
		err = &lookupError{fmt.Sprintf("%s: %s (after %s)", dns.Name, why, milli(took)), dns}
	}
	return hint.With(err, "%s", cmp.Or(advice, "look at what lies between, such as firewalls and proxies, or try later"))
}

// lookupError is a failed name lookup in few words.
type lookupError struct {
	text string
	dns  *net.DNSError
}

func (e *lookupError) Error() string { return e.text }
func (e *lookupError) Unwrap() error { return e.dns }

// advice returns what to do about an error where that is another thing for the
// servers of the Go project, which are there, than for a private farm's.
func (e *exam) advice(a *answer, err error) string {
	var (
		unknownCA x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		dns       *net.DNSError
	)
	public := a.host.Target == TargetLUCI
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert.NotBefore.After(e.Now()):
		return "this machine's clock is behind: set it, and keep it right by NTP"
	case errors.As(err, &dns) && a.proxy != "":
		return "" // the proxy's name: what the dialer says
	case errors.As(err, &dns):
		return "does this machine's name server answer, and is the name right? (/etc/resolv.conf; behind a proxy HTTPS_PROXY=http://HOST:PORT)"
	case public && errors.As(err, &unknownCA):
		return "something between here and the server opens its TLS: add that one's CA to the system's (and for the bot's Python set REQUESTS_CA_BUNDLE), or have it let this host pass; on a bare system install ca-certificates"
	case public && errors.As(err, &record):
		return "something between here and the server answers in its place: have it let this host pass"
	case public && a.proxy == "" && strings.Contains(err.Error(), "refused"):
		return "a firewall refuses the connection: have it let this host pass, or name a proxy with HTTPS_PROXY"
	}
	return ""
}

// reach reports on each host.
func (e *exam) reach(context.Context) []Finding {
	var findings []Finding
	for _, a := range e.answers() {
		f := a.judge()
		if f.State == Fail && e.need(a.host.Target) == perhaps {
			f.State = Warn
		}
		f.Check, f.Title = "reach/"+a.host.Name, a.host.Title
		findings = append(findings, f)
	}
	if len(findings) == 0 {
		return one(Finding{State: Skip, Found: "no coordinator is configured"})
	}
	return findings
}

// judge says how a host can be reached.
func (a answer) judge() Finding {
	at := strings.TrimSuffix(a.addr, ":443")
	if a.proxy != "" {
		at += fmt.Sprintf(" through the proxy %s", a.proxy)
	}
	if a.err != nil {
		f := fail(hint.Of(a.err), "%v", a.err)
		if host, _, _ := net.SplitHostPort(a.addr); !strings.Contains(f.Found, host) {
			f.Found = at + ": " + f.Found
		}
		f.Wanted = "an answer"
		return f
	}
	found := fmt.Sprintf("%s in %s (%s)", at, milli(a.all), a.phases())
	rate := 0.0
	if a.bytes >= measurable && a.took > 0 {
		rate = float64(a.bytes) / a.took.Seconds()
		found += fmt.Sprintf(", %s at %s/s", decimal(float64(a.bytes)), decimal(rate))
	}
	f := ok("%s", found)
	f.Wanted = "an answer within 5s"
	switch {
	case a.host.Status != 0 && a.status != a.host.Status:
		f = warn("it answers, but not as the server that is meant does: is the address right, and does no proxy answer in its place?",
			"%s: HTTP status %d", found, a.status)
		f.Wanted = fmt.Sprintf("HTTP status %d", a.host.Status)
	case a.all > slowAnswer:
		f = warn("the way to it is slow: look at the name server, the proxy and the line", "%s", found)
		f.Wanted = "an answer within 5s"
	case rate > 0 && rate < slowRate && a.took >= judgeable:
		f = warn("the line is slow: builds begin with the download of a toolchain", "%s", found)
		f.Wanted = decimal(slowRate) + "/s"
	}
	return f
}

// phases lists what the time until the answer went into.
func (a answer) phases() string {
	var parts []string
	for _, p := range []struct {
		name string
		took time.Duration
	}{{"DNS", a.dns}, {"TCP", a.tcp}, {"TLS", a.secure}, {"answer", a.all - a.dns - a.tcp - a.secure}} {
		if p.took > 0 {
			parts = append(parts, p.name+" "+milli(p.took))
		}
	}
	return strings.Join(parts, ", ")
}

// milli writes a time in milliseconds, small ones in tenths.
func milli(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return d.Round(time.Millisecond).String()
}
