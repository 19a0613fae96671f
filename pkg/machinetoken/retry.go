package machinetoken

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// The pauses between attempts (LUCI protocol, section 7.5): the first, and
// what each is longer than the one before.
const (
	firstPause  = 200 * time.Millisecond
	pauseFactor = 1.5
)

// call sends request until there is an answer, a final error, or timeout is
// over. The loop is its own, not go-retryablehttp's: what is tried again is
// told by a header and partly by the body, not by the HTTP status, and each
// attempt says how much time is left.
//
// When the time is over, the error is the last one that had a reason of its
// own: that there was no time left says nothing.
func (c *client) call(ctx context.Context, request []byte, timeout time.Duration, log *slog.Logger) (_ []byte, attempts int, _ *CallError) {
	start := time.Now()
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var reason *CallError
	pause := firstPause
	for attempts = 1; ; attempts++ {
		body, failed := c.attempt(ctx, request)
		if failed == nil {
			return body, attempts, nil
		}
		if reason == nil || ctx.Err() == nil && !errors.Is(failed, context.DeadlineExceeded) {
			reason = failed
		}
		// An attempt that could only begin after the end is none.
		if ctx.Err() != nil || !failed.Transient() || timeout-time.Since(start) <= pause {
			break
		}
		log.Warn("no token yet", "attempt", attempts, "pause", pause.Round(time.Millisecond), "err", failed)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		pause = min(time.Duration(float64(pause)*pauseFactor), timeout)
	}
	took := time.Since(start)
	if parent.Err() != nil {
		return nil, attempts, &CallError{URL: c.url, Code: codeCanceled, err: context.Canceled, Attempts: attempts, Took: took}
	}
	reason.Attempts, reason.Took, reason.Skew = attempts, took, c.skew.value()
	reason.timedOut = reason.Transient()
	return nil, attempts, reason
}
