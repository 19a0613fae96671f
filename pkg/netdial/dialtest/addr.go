// Package dialtest has addresses for tests.
package dialtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddr returns an address on loopback, HOST:PORT, at which nobody listens.
// The port is below those that Linux and most others give to who asks for any:
// nobody gets it by chance while a test leaves it, or before a program takes it.
func FreeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+rand.N(20000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}
