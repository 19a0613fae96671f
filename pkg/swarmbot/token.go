package swarmbot

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/machinetoken"
	"gobuild/pkg/supervise"
)

// defaultTokenWait bounds the wait for a token that this program gets itself.
// With each failure of the token daemon in between, whoever looks is told.
const defaultTokenWait = 2 * time.Minute

// TokenReport is what a token daemon says of a run to the program that runs
// the bot. It holds no secret.
type TokenReport struct {
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"` // in the words of the status file (LUCI protocol, section 7.7)
	Expiry  time.Time `json:"expiry,omitzero"`
	Next    time.Time `json:"next,omitzero"`
	Error   string    `json:"error,omitempty"`
	Hint    string    `json:"hint,omitempty"`
}

// NewTokenReport returns the report of a run that has just ended.
func NewTokenReport(r machinetoken.Result) TokenReport {
	report := TokenReport{At: time.Now(), Outcome: r.Outcome, Expiry: r.Expiry, Next: r.NextUpdate}
	if r.Err != nil {
		report.Error, report.Hint = r.Err.Error(), hint.Of(r.Err)
	}
	return report
}

// failure says why a run failed; empty if it did not.
func (r TokenReport) failure() string {
	if r.Hint != "" {
		return r.Error + "; " + r.Hint
	}
	return r.Error
}

// maxReport bounds the line of a report, in bytes.
const maxReport = 64 << 10

// ReadTokenReports calls see for each report that a program on the other end
// of r writes, a JSON object a line, until r ends. A line that is none is
// passed over: the next says all there is to know.
func ReadTokenReports(r io.Reader, see func(TokenReport)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxReport)
	for lines.Scan() {
		var report TokenReport
		if json.Unmarshal(lines.Bytes(), &report) == nil && !report.At.IsZero() {
			see(report)
		}
	}
}

// TokenReported takes note of a run of the token daemon, see
// Options.TokenKept.
func (b *Bot) TokenReported(report TokenReport) {
	b.mu.Lock()
	b.known.token = report
	b.mu.Unlock()
	select {
	case b.tokenNews <- struct{}{}:
	default: // whoever waits has not looked yet
	}
	b.SetTrouble(b.trouble())
}

// trouble returns why the bot does no work although it runs, or "".
func (b *Bot) trouble() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	report := b.known.token
	if report.Error != "" && !report.Expiry.After(time.Now()) {
		ended := "there is no machine token"
		if !report.Expiry.IsZero() {
			ended = "the machine token ended at " + report.Expiry.UTC().Format(time.RFC3339)
		}
		return ended + ", and the token daemon gets no other: " + report.failure()
	}
	return b.known.last.worst()
}

// awaitToken waits for a token that is good for a while, if this program's
// other half is at getting one.
func (b *Bot) awaitToken(ctx context.Context) error {
	if !b.opts.TokenKept || b.onGCE() {
		return nil
	}
	limit := time.NewTimer(b.opts.TokenWait)
	defer limit.Stop()
	for {
		token, err := machinetoken.ReadTokenFile(b.opts.TokenFile)
		if err == nil && token.Token != "" && (token.Expiry.IsZero() || time.Until(token.Expiry) >= tokenSpare) {
			return nil
		}
		b.mu.Lock()
		report := b.known.token
		b.mu.Unlock()
		why := report.failure()
		switch {
		case report.At.IsZero():
			why = "the token daemon is at it"
		case why == "":
			return nil // identify has words for what is wrong with the file
		}
		b.Say("waiting for a machine token: " + why)
		select {
		case <-b.tokenNews:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			err := fmt.Errorf("no machine token after %s", b.opts.TokenWait)
			if report.Error == "" {
				return hint.With(err, "the token server has not answered yet; gobuild doctor --for luci tries DNS, TCP and TLS one by one")
			}
			return hint.With(fmt.Errorf("%w: %w", err, errors.New(report.Error)), "%s", report.Hint)
		}
	}
}

// tokenFacts are what the status page shows of the token.
func (k *known) tokenFacts() []supervise.Fact {
	report := k.token
	if report.At.IsZero() {
		if k.tokenExpiry.IsZero() {
			return nil
		}
		return []supervise.Fact{{Name: "token at the last start good until", Text: k.tokenExpiry.UTC().Format(time.RFC3339),
			Metric: "token_expiry_seconds", Value: float64(k.tokenExpiry.Unix())}}
	}
	until, expiry := "none", 0.0
	if !report.Expiry.IsZero() {
		until, expiry = report.Expiry.UTC().Format(time.RFC3339), float64(report.Expiry.Unix())
	}
	said, good := report.Outcome+" at "+report.At.UTC().Format(time.RFC3339), 1.0
	if report.Error != "" {
		said, good = said+": "+report.failure(), 0
	} else if !report.Next.IsZero() {
		said += ", next after " + report.Next.UTC().Format(time.RFC3339)
	}
	return []supervise.Fact{
		{Name: "token good until", Text: until, Metric: "token_expiry_seconds", Value: expiry},
		{Name: "token daemon", Text: said},
		{Name: "token daemon's last run succeeded", Text: map[bool]string{true: "yes", false: "no"}[good == 1], Metric: "token_run_success", Value: good},
	}
}
