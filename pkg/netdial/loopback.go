package netdial

import "net"

// Loopback reports whether host is this machine, going by its text: no name
// but localhost is looked up.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
