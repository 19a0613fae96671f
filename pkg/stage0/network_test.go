package stage0

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/hint"
	"gobuild/pkg/netdial/dialtest"
)

func TestAwaitNetwork(t *testing.T) {
	// A port that nobody listens on yet.
	addr := dialtest.FreeAddr(t)
	probe := "http://" + addr + "/netcheck"
	err := AwaitNetwork(t.Context(), nil, probe, 1500*time.Millisecond, logTo(t))
	if err == nil || !strings.Contains(err.Error(), probe) || hint.Of(err) == "" {
		t.Fatalf("nobody there: %v", err)
	}
	time.AfterFunc(time.Second, func() {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		go http.Serve(ln, http.NotFoundHandler())
		t.Cleanup(func() { ln.Close() })
	})
	if err := AwaitNetwork(t.Context(), nil, probe, 30*time.Second, logTo(t)); err != nil {
		t.Errorf("any answer is good: %v", err)
	}
	// So is one that is not trusted.
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	if err := Probe(t.Context(), nil, secure.URL+"/netcheck"); err != nil {
		t.Error(err)
	}
}
