package swarmbot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"gobuild/pkg/atomicfile"
	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
	"gobuild/pkg/netdial"
	"gobuild/pkg/plain"
)

const (
	connectWait = 10 * time.Second
	answerWait  = 60 * time.Second // App Engine may have to start an instance
	// maxRefusal bounds what is read and shown of a refusal, in bytes.
	maxRefusal = 4 << 10
)

// identity is what proves to the server who asks (LUCI protocol, sections 8
// and 10.2).
type identity struct {
	botID string
	token string // secret
	gce   bool   // token is a Compute Engine VM's instead of a machine token
}

func (id identity) headers() http.Header {
	name := "X-Luci-Machine-Token"
	if id.gce {
		name = "X-Luci-Gce-Vm-Token"
	}
	return http.Header{name: {id.token}, "X-Luci-Swarming-Bot-Id": {id.botID}}
}

// refusal is an answer that will be the same next time: a last good copy of
// the bot would not be let in either.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// fetch brings the bot's zip in the work directory up to date and returns its
// content digest. If the server cannot be reached, the last good copy does.
func (b *Bot) fetch(ctx context.Context, id identity) (digest string, err error) {
	file := b.zip()
	have := ""
	if data, err := atomicfile.Read(file, maxZip); err == nil {
		have, _ = Digest(data)
	}
	data, digest, err := b.download(ctx, id, have)
	switch {
	case err == nil && data == nil:
		b.opts.Log.Debug("the bot is up to date", "digest", digest)
		return have, nil
	case err == nil:
		if err := atomicfile.Replace(file, data, 0o644); err != nil {
			return "", err
		}
		b.opts.Log.Info("bot downloaded", "bytes", len(data), "digest", digest, "file", file)
		return digest, nil
	case have == "" || errors.As(err, new(refusal)) || ctx.Err() != nil:
		return "", err
	}
	b.opts.Log.Warn("the bot cannot be downloaded; the last good copy is started", "err", err, "digest", have)
	return have, nil
}

// download asks for the bot. It returns no data if the server has the version
// have.
func (b *Bot) download(ctx context.Context, id identity, have string) (data []byte, digest string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.opts.DownloadWait, fmt.Errorf("not done within %s", b.opts.DownloadWait))
	defer cancel()
	from := "https://" + b.opts.Swarming + "/bot_code"
	defer func() {
		if err != nil && !errors.As(err, new(refusal)) && hint.Of(err) == "" {
			err = hint.With(err, "gobuild doctor --for luci tries DNS, TCP and TLS one by one, through the proxy that is set")
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, "", hint.With(fmt.Errorf("bad Swarming server %q: %w", b.opts.Swarming, err), "write HOST or HOST:PORT")
	}
	req.Header = id.headers()
	client := &http.Client{Transport: b.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		return b.redirect(next, via, id, have)
	}}
	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("download the bot: GET %s: %w", from, b.explain(ctx, err, start))
	}
	defer resp.Body.Close()
	at := resp.Request.URL
	name := path.Base(at.Path)
	if resp.StatusCode == http.StatusFound && have != "" {
		return nil, have, nil // redirect has stopped there
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", b.refused(resp, id)
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, maxZip+1))
	took := time.Since(start).Round(time.Millisecond)
	if ctx.Err() != nil { // an answer of unknown length just ends then
		err = context.Cause(ctx)
	}
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("download the bot: GET %s: %w, after %d bytes in %s", at.Redacted(), err, len(data), took)
	case len(data) > maxZip:
		return nil, "", fmt.Errorf("download the bot: GET %s: more than %d bytes", at.Redacted(), maxZip)
	}
	got, err := Digest(data)
	if err != nil {
		return nil, "", hint.With(fmt.Errorf("what came from %s (%d bytes in %s) is no bot: %w", at.Redacted(), len(data), took, err),
			"something between, such as a proxy that wants a sign-in, may have answered in the server's place")
	}
	switch {
	case !isDigest(name):
		b.opts.Log.Warn("the server did not say which digest the bot has; it is taken as it is", "url", at.Redacted(), "digest", got)
	case got != name:
		return nil, "", hint.With(fmt.Errorf("the bot from %s has the content digest %s", at.Redacted(), got),
			"it is not what the server meant to send; a cache or proxy between may have changed or mixed it up")
	}
	return data, got, nil
}

// redirect says whether a redirect is followed. The headers never go to
// another host, which Go's client would send them to, nor over http.
func (b *Bot) redirect(next *http.Request, via []*http.Request, id identity, have string) error {
	if next.URL.Scheme != "https" {
		return refusal{fmt.Errorf("%s redirects to %s, which is not https", via[len(via)-1].URL.Host, next.URL.Redacted())}
	}
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	for _, req := range append(via, next) {
		if !sameHost(req.URL, via[0].URL) {
			for name := range id.headers() {
				next.Header.Del(name)
			}
			b.opts.Log.Debug("redirected to another host, without the token", "host", next.URL.Host)
			break
		}
	}
	if have != "" && path.Base(next.URL.Path) == have {
		return http.ErrUseLastResponse
	}
	return nil
}

func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if u.Port() == "" {
			return "443"
		}
		return u.Port()
	}
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// explain takes the error of a client apart.
func (b *Bot) explain(ctx context.Context, err error, start time.Time) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if ctx.Err() != nil {
		return hint.With(context.Cause(ctx), "is the network slow? gobuild doctor --for luci measures it")
	}
	addr := b.opts.Swarming
	if _, _, splitErr := net.SplitHostPort(addr); splitErr != nil {
		addr = net.JoinHostPort(addr, "443")
	}
	return netdial.Explain(err, addr, time.Since(start))
}

var callerRE = lazyre.New(`the caller "([^"]*)"`)

// refused explains an answer other than 200 (LUCI protocol, section 10.2).
func (b *Bot) refused(resp *http.Response, id identity) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	text := plain.Line(string(body), 0)
	err := fmt.Errorf("download the bot: GET %s: %s: %.300s", resp.Request.URL.Redacted(), resp.Status, text)
	host := HostOf(id.botID)
	caller := ""
	if m := callerRE.FindStringSubmatch(text); m != nil {
		caller = m[1]
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return refusal{hint.With(err, "Swarming does not accept the machine token: it has expired, is damaged, or is for another server. See that the token daemon runs (gobuild tokend, or luci_machine_tokend), and that this machine's clock is right: date -u")}
	case http.StatusForbidden:
		switch {
		case caller == "anonymous:anonymous":
			return refusal{hint.With(err, "Swarming saw no machine token: the token file holds none, or a proxy between removes unknown headers")}
		case id.gce:
			return refusal{hint.With(err, "Swarming does not take this virtual machine for a bot; ask in the builder's issue")}
		case caller != "" && !isFor(strings.TrimPrefix(caller, "bot:"), id.botID):
			return refusal{hint.With(err, "the token is for %s, but this bot calls itself %s: --hostname has to be the name in the certificate", strings.TrimPrefix(caller, "bot:"), id.botID)}
		}
		return refusal{hint.With(err, "Swarming knows the token, but not as a bot %s. Either the name differs from the certificate's (small letters, no domain; gobuild csr check CERTIFICATE --hostname %s compares), or the Go team has not entered the bot yet: then ask in the builder's issue", id.botID, host)}
	case http.StatusNotFound:
		return hint.With(err, "is %s the Swarming server? chromium-swarm.appspot.com is Go's", b.opts.Swarming)
	}
	return err
}
