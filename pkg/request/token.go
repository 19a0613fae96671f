package request

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// ghWait bounds a run of gh.
const ghWait = 10 * time.Second

// Token is a GitHub token. It prints as the place where it was found.
type Token struct {
	secret string
	from   string
}

// String returns where the token was found, never the token.
func (t Token) String() string { return t.from }

// GoString returns the same as String, so that %#v shows no token either.
func (t Token) GoString() string { return t.from }

// redact returns text without the token.
func (t Token) redact(text string) string {
	if t.secret == "" {
		return text
	}
	return strings.ReplaceAll(text, t.secret, "[the token]")
}

// tokenVariables are where a token may be, the first that is set counts.
var tokenVariables = []string{"GITHUB_TOKEN", "GH_TOKEN"}

// EnvToken returns the token of $GITHUB_TOKEN or $GH_TOKEN, or the zero Token
// if neither is set.
func EnvToken(getenv func(string) string) (Token, error) {
	for _, name := range tokenVariables {
		if value := strings.TrimSpace(getenv(name)); value != "" {
			return newToken(value, "$"+name)
		}
	}
	return Token{}, nil
}

// FindToken returns the token for the API at address: that of EnvToken, else
// the one that gh, GitHub's own program, was logged in with.
func FindToken(ctx context.Context, getenv func(string) string, address string) (Token, error) {
	if token, err := EnvToken(getenv); err != nil || token.secret != "" {
		return token, err
	}
	api, err := parseAPI(address)
	if err != nil {
		return Token{}, err
	}
	token, err := ghToken(ctx, api, ghWait)
	if err != nil {
		return Token{}, hint.With(fmt.Errorf("no GitHub token: $GITHUB_TOKEN is not set, and %w", err),
			"make one with the scope public_repo on %s and put it into $GITHUB_TOKEN, or log in with gh auth login;\nwithout a token there is --web, which opens the form filled in",
			(&url.URL{Scheme: api.Scheme, Host: webHost(api.Host), Path: "/settings/tokens"}).String())
	}
	return token, nil
}

// ghToken asks gh for its token.
func ghToken(ctx context.Context, api *url.URL, patience time.Duration) (Token, error) {
	gh, err := exec.LookPath("gh")
	if err != nil {
		return Token{}, errors.New("there is no gh here to ask for one")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, gh, "auth", "token", "--hostname", webHost(api.Host))
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); {
	case ctx.Err() != nil:
		return Token{}, fmt.Errorf("gh auth token gave none within %s", patience)
	case err != nil && said != "":
		return Token{}, fmt.Errorf("gh auth token: %.200s", said)
	case err != nil:
		return Token{}, fmt.Errorf("gh auth token: %w", err)
	}
	return newToken(strings.TrimSpace(string(out)), "gh auth token")
}

var tokenRE = lazyre.New(`^[!-~]+$`)

// newToken checks that a header can hold secret.
func newToken(secret, from string) (Token, error) {
	if !tokenRE.MatchString(secret) {
		return Token{}, hint.With(fmt.Errorf("what %s gives is no token: it is empty or more than one word", from), "a token is one word, such as ghp_...")
	}
	return Token{secret, from}, nil
}
