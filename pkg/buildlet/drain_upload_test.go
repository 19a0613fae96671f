package buildlet

import (
	"io"
	"net/http/httptest"
	"testing"
	"time"
)

// Where the coordinator does not claim, a drain waits for an upload too,
// however long that takes.
func TestDrainWaitsForUpload(t *testing.T) {
	srv, err := New(Options{WorkDir: t.TempDir(), Log: testLog()})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	web := httptest.NewServer(srv)
	defer web.Close()
	pr, pw := io.Pipe()
	defer pw.Close()
	ended := make(chan error, 1)
	go func() { ended <- NewClient(web.URL, ClientOptions{}).Put(t.Context(), pr, "file", 0o644) }()
	io.WriteString(pw, "so much")
	await(t, "it has begun", func() bool { return srv.Report().State == Working })
	if err := srv.SetAvailability(Availability{State: Draining}); err != nil {
		t.Fatal(err)
	}
	long := func() {
		srv.duty.change(func() { srv.duty.used = time.Now().Add(-2 * heldAfterUse) })
	}
	long()
	if r := srv.Report(); srv.drained() || r.State != Working {
		t.Errorf("drained in the middle of an upload: %+v", r)
	}
	pw.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	await(t, "its end is noted", func() bool {
		srv.duty.mu.Lock()
		defer srv.duty.mu.Unlock()
		return time.Since(srv.duty.used) < heldAfterUse
	})
	long()
	if !srv.drained() {
		t.Error("not drained after it")
	}
}
