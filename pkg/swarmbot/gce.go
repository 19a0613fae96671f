package swarmbot

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"gobuild/pkg/hint"
)

// onGCE reports whether this is one of Compute Engine's virtual machines,
// which prove themselves by a token of the metadata server. Upstream's program
// also probes the network for that server; here the variable decides.
func (b *Bot) onGCE() bool { return b.opts.Getenv("GCE_METADATA_HOST") != "" }

// gceIdentity asks the metadata server who this is (LUCI protocol, section 8).
func (b *Bot) gceIdentity(ctx context.Context) (identity, error) {
	name, err := b.metadata(ctx, "instance/hostname")
	if err != nil {
		return identity{}, err
	}
	name, _, _ = strings.Cut(name, ".")
	token, err := b.metadata(ctx, "instance/service-accounts/default/identity?audience="+url.QueryEscape("https://"+b.opts.Swarming)+"&format=full")
	if err != nil {
		return identity{}, err
	}
	return identity{botID: name, token: token, gce: true}, nil
}

// metadata returns a value of the metadata server, which is reached directly.
func (b *Bot) metadata(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	from := "http://" + b.opts.Getenv("GCE_METADATA_HOST") + "/computeMetadata/v1/" + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Metadata-Flavor", "Google")
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: connectWait}).DialContext, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", hint.With(fmt.Errorf("metadata server: %w", err), "GCE_METADATA_HOST is for virtual machines of Compute Engine only; unset it elsewhere")
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	value := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", fmt.Errorf("metadata server: GET %s: %w", from, err)
	case resp.StatusCode != http.StatusOK || value == "":
		return "", fmt.Errorf("metadata server: GET %s: %s", from, resp.Status)
	}
	return value, nil
}
