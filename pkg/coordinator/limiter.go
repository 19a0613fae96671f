package coordinator

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// limiter bounds how often the same network may do something. It is safe for
// use by several goroutines.
type limiter struct {
	most  int
	every time.Duration

	mu   sync.Mutex
	used map[netip.Prefix][]time.Time // oldest first
}

func newLimiter(most int, every time.Duration) *limiter {
	return &limiter{most: most, every: every, used: map[netip.Prefix][]time.Time{}}
}

// take notes that addr does it now. If addr has done it too often, ok is
// false, and wait says when it may do it again.
func (l *limiter) take(addr string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for network, times := range l.used {
		if now.Sub(times[len(times)-1]) >= l.every {
			delete(l.used, network)
		}
	}
	network := networkOf(addr)
	times := slices.DeleteFunc(l.used[network], func(t time.Time) bool { return now.Sub(t) >= l.every })
	if len(times) >= l.most {
		l.used[network] = times
		return l.every - now.Sub(times[0]), false
	}
	l.used[network] = append(times, now)
	return 0, true
}

// giveBack undoes take(addr, now).
func (l *limiter) giveBack(addr string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	network := networkOf(addr)
	times := l.used[network]
	if i := slices.Index(times, now); i >= 0 {
		times = slices.Delete(times, i, i+1)
	}
	if len(times) == 0 {
		delete(l.used, network)
		return
	}
	l.used[network] = times
}

// networkOf returns what one person may have of the remote address addr: of
// IPv6 that is up to a /48.
func networkOf(addr string) netip.Prefix {
	at, _ := netip.ParseAddrPort(addr)
	ip := at.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 48
	}
	network, _ := ip.Prefix(bits) // an address that is none: all such share one
	return network
}
