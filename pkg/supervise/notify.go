package supervise

import (
	"net"
	"strconv"
	"time"
)

// notifier talks to systemd, or to whatever else has set $NOTIFY_SOCKET, as
// sd_notify(3) does. Without one it does nothing.
type notifier struct {
	socket   string
	watchdog time.Duration // within which a sign of life is wanted; 0 for none
}

// newNotifier returns the notifier of the environment.
func newNotifier(getenv func(string) string, pid int) notifier {
	n := notifier{socket: getenv("NOTIFY_SOCKET")}
	if of := getenv("WATCHDOG_PID"); of == "" || of == strconv.Itoa(pid) {
		usec, _ := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
		n.watchdog = time.Duration(max(usec, 0)) * time.Microsecond
	}
	return n
}

// serviceVariables are those that a service manager means for its own child
// only.
var serviceVariables = []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}

// send sends a state, such as READY=1. Nobody listening is no error: the
// program works without.
func (n notifier) send(state string) {
	if n.socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", n.socket) // @NAME is an abstract socket
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	conn.Write([]byte(state))
}
