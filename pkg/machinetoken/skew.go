package machinetoken

import (
	"fmt"
	"net/http"
	"time"
)

// maxSkew is how far a machine's clock may be from the token server's (LUCI
// protocol, section 4).
const maxSkew = 10 * time.Minute

// Skew is how far this machine's clock is ahead of a server's. It is known if
// the server says what time it is, which LUCI's own does not do, but what
// stands before it often does.
type Skew struct {
	Known bool
	Ahead time.Duration // negative if this clock is behind; to a second
}

// String says it in words.
func (s Skew) String() string {
	switch {
	case !s.Known:
		return "not known"
	case s.Ahead > 0:
		return fmt.Sprintf("%s ahead of the server's", s.Ahead)
	}
	return fmt.Sprintf("%s behind the server's", -s.Ahead)
}

// skew measures a Skew.
type skew struct {
	now   func() time.Time // this machine's clock; nil means time.Now
	ahead Skew
}

// measure takes the Date header of an answer to a request that was sent and
// answered at these times.
func (s *skew) measure(date string, sent, answered time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return
	}
	half := answered.Sub(sent) / 2
	ours := answered
	if s.now != nil {
		ours = s.now()
	}
	// Their time is cut to whole seconds, so half a second is the mean loss.
	s.ahead = Skew{true, ours.Add(-half).Sub(theirs.Add(time.Second / 2)).Round(time.Second)}
}

func (s *skew) value() Skew { return s.ahead }
