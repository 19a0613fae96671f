package stage0

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"gobuild/pkg/hint"
)

const (
	probeWait  = 5 * time.Second
	probeEvery = time.Second
)

// NetworkWait is how long upstream's stage0 waits for the network.
func NetworkWait() time.Duration {
	if runtime.GOOS == "windows" {
		return 5 * time.Minute
	}
	return 30 * time.Second
}

// AwaitNetwork returns once a server answers at the given URL, whatever it
// answers, or with an error after limit. client may be nil.
func AwaitNetwork(ctx context.Context, client *http.Client, probe string, limit time.Duration, log *slog.Logger) error {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
	defer cancel()
	for tries := 0; ; tries++ {
		err := Probe(ctx, client, probe)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && tries%5 == 0 {
			log.Info("waiting for the network", "url", probe, "for", time.Since(began).Round(time.Second/10), "err", err)
		}
		select {
		case <-ctx.Done():
			return hint.With(fmt.Errorf("wait for the network: %s: %w (%w)", probe, context.Cause(ctx), err),
				"is the cable in, does DNS work, is a proxy needed (HTTP_PROXY, HTTPS_PROXY)? gobuild doctor tries them one by one")
		case <-time.After(probeEvery):
		}
	}
}

// Probe returns nil if a server answers at the given URL. One whose
// certificate is not trusted has answered, too: that is for the download to
// find out.
func Probe(ctx context.Context, client *http.Client, probe string) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, probe, nil)
	if err != nil {
		return err
	}
	if client == nil {
		client = http.DefaultClient
	}
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := once.Do(req)
	if err == nil {
		resp.Body.Close()
		return nil
	}
	if errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(tls.RecordHeaderError)) {
		return nil
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return err
}

// Netcheck returns the URL to probe on the server of another URL.
func Netcheck(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/netcheck"}).String()
}
