package coordinator

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gobuild/pkg/api"
	"gobuild/pkg/buildlet"
	"gobuild/pkg/netdial/dialtest"
)

// A machine whose link is cut loses its instance, which is told, and comes
// back by itself.
func TestMachineReturns(t *testing.T) {
	f := newFarm(t, Options{})
	f.join("board", testType)
	joe := f.client("joe")
	inst := f.create(joe)
	f.pool.mu.Lock()
	h := f.pool.hosts[0]
	f.pool.mu.Unlock()
	h.evict(errors.New("somebody stepped on the cable"))
	f.await("it is idle again", func() bool {
		hosts := f.pool.snapshot().Hosts
		return len(hosts) == 1 && hosts[0].State == api.HostIdle
	})
	_, err := joe.Instance(t.Context(), inst.ID)
	wantAPIError(t, err, api.CodeGone, "board", "cable")
	if gone := f.pool.snapshot().Gone; len(gone) != 1 || !strings.Contains(gone[0].Why, "cable") {
		t.Errorf("gone: %+v", gone)
	}
	f.create(joe)
}

// Machines find a coordinator that was restarted.
func TestCoordinatorRestarts(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", dialtest.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	f, stop := serveFarm(t, dir, ln, Options{})
	f.join("board", testType)
	stop()
	if ln, err = net.Listen("tcp", f.addr); err != nil {
		t.Fatal(err)
	}
	f, stop = serveFarm(t, dir, ln, Options{})
	t.Cleanup(stop)
	f.await("it is idle in the new coordinator's pool", func() bool {
		hosts := f.pool.snapshot().Hosts
		return len(hosts) == 1 && hosts[0].State == api.HostIdle
	})
}

// A sender that goes away in the middle leaves what was there.
func TestSenderGoesAway(t *testing.T) {
	f := newFarm(t, Options{})
	m := f.join("board", testType)
	joe := f.client("joe")
	b := f.onInstance(joe, "joe", f.create(joe).ID)
	if err := b.Put(t.Context(), strings.NewReader("old"), "file", 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pr, pw := io.Pipe()
	defer pw.Close()
	ended := make(chan error, 1)
	go func() { ended <- b.Put(ctx, pr, "file", 0o644) }()
	pw.Write(make([]byte, 1<<20))
	f.await("something has arrived", func() bool {
		names, _ := filepath.Glob(filepath.Join(m.work, ".gobuild-*"))
		return len(names) == 1
	})
	cancel()
	if err := <-ended; err == nil {
		t.Error("the upload ended well")
	}
	f.await("no temporary file is left", func() bool {
		names, _ := filepath.Glob(filepath.Join(m.work, ".gobuild-*"))
		return len(names) == 0
	})
	if text, err := os.ReadFile(filepath.Join(m.work, "file")); err != nil || string(text) != "old" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

// A machine that cannot be emptied is not given to the next.
func TestMachineThatCannotBeWiped(t *testing.T) {
	f := newFarm(t, Options{})
	broken := make(chan struct{})
	f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-broken:
				if r.URL.Path == "/removeall" || r.URL.Path == "/release" {
					http.Error(w, "the disk is gone", http.StatusInternalServerError)
					return
				}
			default:
			}
			next.ServeHTTP(w, r)
		})
	})
	joe := f.client("joe")
	inst := f.create(joe)
	close(broken)
	if err := joe.Destroy(t.Context(), inst.ID); err != nil {
		t.Errorf("destroy: %v", err)
	}
	f.await("it is cut off", func() bool { return len(f.pool.snapshot().Gone) > 0 })
	if why := f.pool.snapshot().Gone[0].Why; !strings.Contains(why, "the disk is gone") {
		t.Errorf("why: %q", why)
	}
}

// What comes to a machine that has just gone is explained.
func TestProxyToALostMachine(t *testing.T) {
	f := newFarm(t, Options{})
	dead := make(chan struct{})
	f.joinWith("board", testType, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-dead:
				panic(http.ErrAbortHandler)
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	joe := f.client("joe")
	inst := f.create(joe)
	b := f.onInstance(joe, "joe", inst.ID)
	close(dead)
	_, err := b.WorkDir(t.Context())
	wantAPIError(t, err, api.CodeUnreachable, inst.ID, "board")
}

// A command ends with the one who waits for it, at the other end of the
// coordinator.
func TestAbandonedCommandIsKilled(t *testing.T) {
	f := newFarm(t, Options{})
	m := f.join("board", testType)
	joe := f.client("joe")
	b := f.onInstance(joe, "joe", f.create(joe).ID)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Exec(ctx, "/bin/sh", buildlet.ExecOptions{SystemLevel: true,
			Args: []string{"-c", "(setsid sh -c 'while :; do echo x > beat; sleep 0.01; done') & wait"}})
		ended <- err
	}()
	beat := filepath.Join(m.work, "beat")
	f.await("it runs", func() bool {
		_, err := os.Stat(beat)
		return err == nil
	})
	cancel()
	if err := <-ended; err == nil {
		t.Error("the command ended well")
	}
	f.await("it is dead, though it left its process group", func() bool {
		os.Remove(beat)
		time.Sleep(100 * time.Millisecond)
		_, err := os.Stat(beat)
		return errors.Is(err, os.ErrNotExist)
	})
}
