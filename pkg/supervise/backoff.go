package supervise

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait before a program is started again.
type Backoff struct {
	// Min is the pause after the first failure; it doubles with each further
	// one, up to Max. A fifth of it, more or less, is left to chance.
	Min, Max time.Duration
	// Budget is how many failures in a row are borne. After that the program
	// is given up, and tried again after Rest. 0 means never.
	Budget int
	Rest   time.Duration
}

// DefaultBackoff waits for 5 seconds to 5 minutes, and gives up for an hour
// after 20 failures.
var DefaultBackoff = Backoff{Min: 5 * time.Second, Max: 5 * time.Minute, Budget: 20, Rest: time.Hour}

// pause returns how long to wait after so many failures in a row, and whether
// the program is given up.
func (b Backoff) pause(failures int) (wait time.Duration, givenUp bool) {
	if b.Budget > 0 && failures > 0 && failures%b.Budget == 0 {
		return spread(b.Rest), true
	}
	wait = b.Min
	for i := 1; i < failures && wait < b.Max; i++ {
		wait *= 2
	}
	return spread(min(wait, b.Max)), false
}

// spread returns d, a fifth more or less, so that machines that failed
// together do not come back together.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
