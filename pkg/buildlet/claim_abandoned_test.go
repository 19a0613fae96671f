package buildlet

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A claim whose coordinator has gone while the gate was asked is none: nobody
// would release it.
func TestAbandonedClaimIsNone(t *testing.T) {
	asked, open := make(chan struct{}, 10), make(chan struct{})
	srv, err := New(Options{WorkDir: t.TempDir(), Log: testLog(), Gate: func() string {
		asked <- struct{}{}
		<-open
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	done := make(chan struct{}, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(w, r)
		done <- struct{}{}
	}))
	defer web.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- NewClient(web.URL, ClientOptions{}).Claim(ctx, "joe-linux-0") }()
	<-asked
	cancel()
	if err := <-ended; err == nil {
		t.Error("the claim went well")
	}
	time.Sleep(200 * time.Millisecond) // for the server to see that
	close(open)
	<-done
	if r := srv.Report(); r.Instance != "" || r.State != Idle {
		t.Errorf("it is held: %+v", r)
	}
}
